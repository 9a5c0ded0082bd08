using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Tidegate.Testing;

/// <summary>An OpenTelemetry collector that keeps what it is sent, over gRPC or HTTP.</summary>
public sealed class FakeCollector : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ConcurrentQueue<CollectedMessage> _messages = new();
    private readonly SemaphoreSlim _more = new(0);

    private FakeCollector(WebApplication application) => _application = application;

    /// <summary>Where it listens.</summary>
    public string Address => _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Everything that came so far.</summary>
    public IReadOnlyList<CollectedMessage> Messages => [.. _messages];

    /// <summary>Every span that came so far.</summary>
    public IReadOnlyList<ProtobufMessage> Spans => [.. Items(CollectedMessage.Traces)];

    /// <summary>Every log record that came so far.</summary>
    public IReadOnlyList<ProtobufMessage> Logs => [.. Items(CollectedMessage.Logs)];

    /// <summary>What it answers: 0 takes everything, 14 is "try again later" (503 over HTTP), any other refuses (400).</summary>
    public int GrpcStatus { get; set; }

    /// <summary>A google.rpc.Status in base64 that comes with a status other than 0: as a field over gRPC, as the content over HTTP.</summary>
    public string StatusDetails { get; set; } = "";

    /// <summary>The field of that name, over HTTP.</summary>
    public string RetryAfter { get; set; } = "";

    /// <summary>Nothing is answered before.</summary>
    public Task AnswersAfter { get; set; } = Task.CompletedTask;

    /// <summary>What it says that it did not keep of each message.</summary>
    public byte RejectedItems { get; set; }

    /// <summary>Starts on a free port.</summary>
    /// <param name="isGrpc">HTTP/2 with prior knowledge; else HTTP/1.1.</param>
    public static async Task<FakeCollector> StartAsync(bool isGrpc)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = isGrpc ? HttpProtocols.Http2 : HttpProtocols.Http1));
        var collector = new FakeCollector(builder.Build());
        collector._application.Run(context => collector.TakeAsync(context, isGrpc));
        await collector._application.StartAsync();
        return collector;
    }

    /// <summary>All metrics of that name in the last message that has one.</summary>
    public ProtobufMessage? Metric(string name) => Items(CollectedMessage.Metrics).LastOrDefault(metric => metric.Text(1) == name);

    /// <summary>Waits until so many spans have come.</summary>
    public async Task<IReadOnlyList<ProtobufMessage>> SpansAsync(int count, CancellationToken cancellationToken)
    {
        while (Spans.Count < count)
        {
            if (!await _more.WaitAsync(TimeSpan.FromSeconds(60), cancellationToken))
            {
                throw new TimeoutException($"{Spans.Count} of {count} spans came.");
            }
        }

        return Spans;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        _more.Dispose();
    }

    private IEnumerable<ProtobufMessage> Items(string signal) =>
        from message in _messages
        where message.Signal == signal
        from resource in message.Content.All(1)
        from scope in resource.All(2)
        from item in scope.All(2)
        select item;

    private async Task TakeAsync(HttpContext context, bool isGrpc)
    {
        using var buffer = new MemoryStream();
        await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
        var content = buffer.ToArray().AsMemory(isGrpc ? 5 : 0);
        if (GrpcStatus == 0)
        {
            _messages.Enqueue(new CollectedMessage(context.Request.Path, context.Request.Headers.ToDictionary(field => field.Key.ToLowerInvariant(), field => field.Value.ToString()), new ProtobufMessage(content)));
            _more.Release();
        }

        await AnswersAfter;
        byte[] reply = RejectedItems == 0 ? [] : [0x0A, 2, 0x08, RejectedItems];
        if (!isGrpc)
        {
            context.Response.StatusCode = GrpcStatus switch { 0 => 200, 14 => 503, _ => 400 };
            context.Response.ContentType = "application/x-protobuf";
            if (GrpcStatus != 0)
            {
                context.Response.Headers.RetryAfter = RetryAfter;
                reply = Convert.FromBase64String(StatusDetails);
            }

            await context.Response.Body.WriteAsync(reply, context.RequestAborted);
            return;
        }

        context.Response.ContentType = "application/grpc";
        if (GrpcStatus != 0)
        {
            // Trailers-only: the status stands in the head.
            context.Response.Headers["grpc-status"] = $"{GrpcStatus}";
            context.Response.Headers["grpc-message"] = "not%20now";
            if (StatusDetails.Length > 0)
            {
                context.Response.Headers["grpc-status-details-bin"] = StatusDetails;
            }

            return;
        }

        await context.Response.Body.WriteAsync((byte[])[0, 0, 0, 0, (byte)reply.Length, .. reply], context.RequestAborted);
        context.Features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers["grpc-status"] = "0";
    }
}

/// <summary>One export.</summary>
/// <param name="Path">Where it was sent.</param>
/// <param name="Headers">Names in lower case.</param>
/// <param name="Content">The request message.</param>
public sealed record CollectedMessage(string Path, IReadOnlyDictionary<string, string> Headers, ProtobufMessage Content)
{
    /// <summary>Spans.</summary>
    public const string Traces = "traces";

    /// <summary>Metrics.</summary>
    public const string Metrics = "metrics";

    /// <summary>Log records.</summary>
    public const string Logs = "logs";

    /// <summary>Which of the three it is.</summary>
    public string Signal => Path is "/v1/traces" or "/opentelemetry.proto.collector.trace.v1.TraceService/Export" ? Traces
        : Path is "/v1/metrics" or "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" ? Metrics
        : Path is "/v1/logs" or "/opentelemetry.proto.collector.logs.v1.LogsService/Export" ? Logs
        : throw new FormatException($"Nothing is sent to {Path}.");
}
