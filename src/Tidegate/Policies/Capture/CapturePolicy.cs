using System.Runtime.CompilerServices;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Capture;

/// <summary>Copies headers and the beginning of content of exchanges, and keeps those that are chosen when they are over. The outermost of all: it sees what the client sends and gets.</summary>
internal sealed class CapturePolicy : IPolicy
{
    // Head fields of both messages, as text.
    private const int FieldBytes = 16 * 1024;

    // Their values are addresses, whose queries and fragments carry keys, codes and tokens.
    private static readonly string[] Addresses = ["Location", "Content-Location", "Referer", "Refresh", "Link"];

    private readonly CaptureSettings _settings;
    private readonly CaptureStore _store;
    private readonly Func<double> _random;
    private readonly TimeProvider _time;

    public CapturePolicy(CaptureSettings settings, CaptureStore store, Func<double> random, TimeProvider time)
    {
        _settings = settings;
        _store = store;
        _random = random;
        _time = time;
    }

    public string Name => "capture";

    public PolicyStage Stage => PolicyStage.Identify;

    /// <summary>What an exchange may take while it is under way.</summary>
    public static long RoomOf(long maxBodyBytes) => (2 * maxBodyBytes) + FieldBytes;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        var isSampled = _settings.Sample > 0 && _random() < _settings.Sample;
        var room = RoomOf(_settings.MaxBodyBytes);
        if (exchange.IsTunnel || exchange.UpgradeProtocol is not null || !(isSampled || _settings.Errors || _settings.SlowerThan is not null) || !_store.TryCopy(room))
        {
            await next(exchange);
            return;
        }

        var request = Fields(exchange.RequestHeaders);
        var content = exchange.RequestBody.IsEmpty ? null : new CapturingBody(exchange.RequestBody, _settings.MaxBodyBytes);
        exchange.RequestBody = content ?? exchange.RequestBody;
        var capture = new Capture(this, isSampled, room, request, content);
        exchange.WhenAnswerEnds(capture);
        await next(exchange);
        capture.Answered(exchange);
    }

    public PolicyExplanation Explain(Exchange exchange)
    {
        var chosen = (string?[])[_settings.Sample > 0 ? $"{_settings.Sample:P2} of all" : null, _settings.Errors ? "errors" : null, _settings.SlowerThan is { } slow ? $"what takes {slow.TotalSeconds:0.###} s" : null];
        return new PolicyExplanation($"headers and {_settings.MaxBodyBytes} B of content are kept of {string.Join(", ", chosen.OfType<string>())}, without secrets");
    }

    private List<(string Name, string Value)> Fields(HeaderList fields)
    {
        var copied = new List<(string, string)>(fields.Count);
        for (var i = 0; i < fields.Count; i++)
        {
            var (name, value) = (Encoding.Latin1.GetString(fields[i].Name), Encoding.Latin1.GetString(fields[i].Value));
            copied.Add((name, _settings.Redaction.IsSecret(name) || Redaction.LooksSecret(value) || _settings.Redaction.HidesSecret(value) ? Redaction.Mask : Value(name, value)));
        }

        return copied;
    }

    private static string Value(string name, string value) =>
        Addresses.Contains(name, StringComparer.OrdinalIgnoreCase) && value.IndexOfAny(['?', '#']) is >= 0 and var end ? value[..(end + 1)] + Redaction.Mask : value;

    private string? Why(Exchange exchange, bool isSampled) =>
        _settings.Errors && (exchange.Outcome == Outcome.Failed || (exchange.ResponseStatus >= 500 && exchange.Outcome != Outcome.Rejected)) ? "error"
        : _settings.SlowerThan is { } slow && _time.GetElapsedTime(exchange.Timings.Received) >= slow ? "slow"
        : isSampled ? "sample"
        : null;

    private CapturedMessage Message(List<(string Name, string Value)> fields, CapturingBody? body)
    {
        if (body is null)
        {
            return new CapturedMessage(fields, null, "");
        }

        string Field(string name) => fields.Find(field => field.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Value ?? "";
        if (Field("Content-Encoding") is { Length: > 0 } coding && !coding.Equals("identity", StringComparison.OrdinalIgnoreCase))
        {
            return new CapturedMessage(fields, null, "Content in a coding cannot be looked through for secrets.");
        }

        return _settings.Redaction.Content(Field("Content-Type"), body.Copied.Span) is { } content
            ? new CapturedMessage(fields, content, body.IsCut ? $"Only the first {_settings.MaxBodyBytes} bytes were kept." : "")
            : new CapturedMessage(fields, null, "Content that is neither JSON, events nor a form cannot be looked through for secrets.");
    }

    /// <summary>What is copied of one exchange.</summary>
    private sealed class Capture(CapturePolicy policy, bool isSampled, long room, List<(string Name, string Value)> request, CapturingBody? content) : IAnswerEnding
    {
        private List<(string Name, string Value)> _response = [];
        private CapturingBody? _answer;

        public void Answered(Exchange exchange)
        {
            _response = policy.Fields(exchange.ResponseHeaders);
            if (exchange.Outcome is Outcome.Forwarded or Outcome.ServedFromCache or Outcome.ServedFromFallback && !exchange.ResponseBody.IsEmpty && exchange.UpstreamStream is null)
            {
                exchange.ResponseBody = _answer = new CapturingBody(exchange.ResponseBody, policy._settings.MaxBodyBytes);
            }
        }

        public void AnswerEnded(Exchange exchange)
        {
            policy._store.Copied(room);
            if (policy.Why(exchange, isSampled) is { } why)
            {
                var id = exchange.Id;
                policy._store.Add(policy._settings.Version, () => new CapturedExchange(id, why, policy.Message(request, content), policy.Message(_response, _answer)));
            }
        }
    }
}
