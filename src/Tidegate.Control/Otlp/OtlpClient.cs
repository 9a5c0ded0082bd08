using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Tidegate.Configuration;

namespace Tidegate.Control.Otlp;

/// <summary>How one export ended.</summary>
/// <param name="Error">One line; null when the collector took it.</param>
/// <param name="IsWorthRetrying">The same message may be taken later.</param>
/// <param name="Refused">Of what it took, so many items it did not keep.</param>
/// <param name="Pause">How long it wants to be left alone; zero where it does not say.</param>
internal readonly record struct ExportResult(string? Error, bool IsWorthRetrying, long Refused, TimeSpan Pause = default);

/// <summary>Sends messages to a collector, over OTLP/gRPC or OTLP/HTTP. Never throws for what a network or a collector does.</summary>
internal sealed class OtlpClient : IDisposable
{
    public const string Traces = "traces";
    public const string Metrics = "metrics";
    public const string Logs = "logs";

    /// <summary>Where a message is long enough: collectors take gRPC messages of 4 MB unless told otherwise, and what is added last has some kilobytes.</summary>
    public const int MaxMessageBytes = 3 * 1024 * 1024;

    // The exporter's default in every OpenTelemetry SDK.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    // A reply says how many items were refused, and why.
    private const int MaxReplyBytes = 64 * 1024;
    private const int MaxErrorLength = 200;
    private const int GrpcPrefixBytes = 5;
    private const string Protobuf = "application/x-protobuf";

    private readonly OtlpSettings _settings;
    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _http;

    public OtlpClient(OtlpSettings settings, TimeProvider time)
    {
        _settings = settings;
        _time = time;
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,

            // HTTP_PROXY may well be this gateway: exporting through it would make spans of its own spans.
            UseProxy = false,
            ActivityHeadersPropagator = null,
            ConnectTimeout = TimeSpan.FromSeconds(5),
        });
    }

    /// <param name="signal"><see cref="Traces"/>, <see cref="Metrics"/> or <see cref="Logs"/>.</param>
    /// <param name="message">The request message of that signal's service.</param>
    /// <param name="cancellationToken">Gives up; the only thing that throws.</param>
    public async Task<ExportResult> SendAsync(string signal, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Timeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            using var request = _settings.IsGrpc ? GrpcRequest(signal, message) : HttpRequest(signal, message);
            using var response = await _http.SendAsync(request, both.Token);
            var reply = await ReadAsync(response, both.Token);
            return _settings.IsGrpc ? GrpcResult(response, reply) : HttpResult(response, reply);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Later($"no answer within {Timeout.TotalSeconds:0} s");
        }
        catch (Exception unreachable) when (unreachable is HttpRequestException or IOException or SocketException)
        {
            return Later((unreachable.InnerException ?? unreachable).Message);
        }
    }

    public void Dispose() => _http.Dispose();

    private HttpRequestMessage HttpRequest(string signal, ReadOnlyMemory<byte> message) =>
        Request("/v1/" + signal, message, Protobuf, HttpVersion.Version11);

    private HttpRequestMessage GrpcRequest(string signal, ReadOnlyMemory<byte> message)
    {
        var framed = new byte[GrpcPrefixBytes + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), message.Length);
        message.CopyTo(framed.AsMemory(GrpcPrefixBytes));
        var service = signal switch
        {
            Traces => "trace.v1.TraceService",
            Logs => "logs.v1.LogsService",
            _ => "metrics.v1.MetricsService",
        };
        var request = Request($"/opentelemetry.proto.collector.{service}/Export", framed, "application/grpc", HttpVersion.Version20);
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        return request;
    }

    private HttpRequestMessage Request(string path, ReadOnlyMemory<byte> content, string type, Version version)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_settings.Endpoint, path))
        {
            Content = new ReadOnlyMemoryContent(content) { Headers = { ContentType = new MediaTypeHeaderValue(type) } },
            Version = version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.TryAddWithoutValidation("User-Agent", "Tidegate");
        foreach (var (name, value) in _settings.Headers)
        {
            request.Headers.TryAddWithoutValidation(name, value.Value);
        }

        return request;
    }

    private static async Task<byte[]> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var reply = new byte[MaxReplyBytes];
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);

        // One byte more than fits is asked for by nobody: trailers come only after the end, so what is longer has none and is an error.
        var length = await stream.ReadAtLeastAsync(reply, reply.Length, throwOnEndOfStream: false, cancellationToken);
        return reply[..length];
    }

    private ExportResult HttpResult(HttpResponseMessage response, byte[] reply) => (int)response.StatusCode switch
    {
        >= 200 and < 300 => new ExportResult(null, false, PartialSuccess.Rejected(reply)),
        429 or 502 or 503 or 504 => Later(Status(response)) with { Pause = Pause(response, reply) },
        _ => new ExportResult(Status(response), IsWorthRetrying: false, 0),
    };

    private ExportResult GrpcResult(HttpResponseMessage response, byte[] reply)
    {
        if (response.StatusCode != HttpStatusCode.OK)
        {
            return HttpResult(response, reply) with { Error = Status(response) };
        }

        var code = Field(response, "grpc-status");
        if (code == "0")
        {
            return new ExportResult(null, false, reply.Length < GrpcPrefixBytes ? 0 : PartialSuccess.Rejected(reply.AsSpan(GrpcPrefixBytes)));
        }

        // Cancelled, deadline exceeded, aborted, out of range, unavailable, data loss: what OTLP calls retryable. Resource exhausted is when the collector says that it recovers; else it may
        // be the message that is too large, now and always.
        var error = $"gRPC status {code ?? "missing"} {Uri.UnescapeDataString(Field(response, "grpc-message") ?? "")}".TrimEnd();
        var pause = RetryInfo.Read(Field(response, "grpc-status-details-bin"));
        var isWorthRetrying = code is "1" or "4" or "10" or "11" or "14" or "15" || (code == "8" && pause is not null);
        return new ExportResult(OneLine(error), isWorthRetrying, 0, isWorthRetrying ? pause ?? TimeSpan.Zero : TimeSpan.Zero);
    }

    /// <summary>What Retry-After says, and the google.rpc.Status that OTLP/HTTP has errors say themselves with; the longer of the two.</summary>
    private TimeSpan Pause(HttpResponseMessage response, byte[] reply)
    {
        var field = response.Headers.RetryAfter;

        // A date is compared with the answer's own, so that clocks may differ.
        var asked = field?.Delta ?? (field?.Date - (response.Headers.Date ?? _time.GetUtcNow())) ?? TimeSpan.Zero;
        var told = response.Content.Headers.ContentType?.MediaType == Protobuf ? RetryInfo.Read(reply) ?? TimeSpan.Zero : TimeSpan.Zero;
        return asked > told ? asked : told;
    }

    private static string? Field(HttpResponseMessage response, string name) =>
        response.TrailingHeaders.NonValidated.TryGetValues(name, out var trailer) ? trailer.ToString()
        : response.Headers.NonValidated.TryGetValues(name, out var header) ? header.ToString()
        : null;

    private static string Status(HttpResponseMessage response) => string.Create(CultureInfo.InvariantCulture, $"HTTP status {(int)response.StatusCode}");

    private static ExportResult Later(string error) => new(OneLine(error), IsWorthRetrying: true, 0);

    // What a collector writes must not write lines of its own into our log.
    private static string OneLine(string text) =>
        string.Concat(text.Take(MaxErrorLength).Select(character => char.IsControl(character) ? ' ' : character));
}
