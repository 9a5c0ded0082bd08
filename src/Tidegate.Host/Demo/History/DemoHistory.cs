using System.Net;
using System.Security.Cryptography;
using Tidegate.Configuration;
using Tidegate.Exchanges;
using Tidegate.Host.Demo.Callers;
using Tidegate.Recording;

namespace Tidegate.Host.Demo.History;

/// <summary>
/// What would have been recorded if the demo had run before: the calls of the plan, routed by the demo's own configuration, with answers as the simulated APIs give them. Nothing is sent; only the records
/// are made, so that pages have a past from the first moment on.
/// </summary>
internal sealed class DemoHistory
{
    /// <summary>Of one frame of the log.</summary>
    public const int BatchSize = 128;

    private readonly CompiledConfiguration _compiled;
    private readonly CallPlan _plan;
    private readonly int _seed;
    private readonly PastAnswers _answers;
    private readonly Dictionary<string, (Consumer Consumer, IPAddress Address)> _consumers;
    private readonly Exchange _exchange = new() { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null! };
    private ulong _id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    /// <param name="compiled">The demo's configuration.</param>
    /// <param name="plan">The calls.</param>
    /// <param name="seed">The same seed gives the same answers.</param>
    public DemoHistory(CompiledConfiguration compiled, CallPlan plan, int seed)
    {
        _compiled = compiled;
        _plan = plan;
        _seed = seed;
        _answers = new PastAnswers();
        _consumers = compiled.Config.Consumers.Select((consumer, i) => (consumer, i)).ToDictionary(
            entry => DemoKeys.Consumer(entry.consumer.Name),
            entry => (new Consumer(entry.consumer.Name, entry.consumer.Tenant, entry.consumer.Environment), new IPAddress([10, 0, (byte)(entry.i / 100), (byte)(10 + entry.i)])));
    }

    /// <summary>The records of a time, the oldest first.</summary>
    /// <param name="now">Where it ends.</param>
    /// <param name="length">How long it was.</param>
    /// <param name="elapsed">How far the demo's clock is now, from 07:00 of the first morning.</param>
    public IEnumerable<ExchangeRecord[]> Batches(DateTimeOffset now, TimeSpan length, TimeSpan elapsed)
    {
        var batch = new List<ExchangeRecord>(BatchSize);
        for (var before = (int)length.TotalSeconds; before > 0; before--)
        {
            var second = (int)elapsed.TotalSeconds - before;
            var (day, ofMorning) = ((int)Math.Floor((double)second / MorningClock.SecondsPerMorning) + 1, ((second % MorningClock.SecondsPerMorning) + MorningClock.SecondsPerMorning) % MorningClock.SecondsPerMorning);
            var clock = MorningClock.At(TimeSpan.FromSeconds(ofMorning));
            var random = new DemoRandom(unchecked((_seed * 31) + second));
            foreach (var (at, call) in _plan.Second(day, ofMorning))
            {
                batch.Add(Record(call, now.AddSeconds(at - before), clock, random));
                if (batch.Count == BatchSize)
                {
                    yield return [.. batch];
                    batch.Clear();
                }
            }
        }

        if (batch.Count > 0)
        {
            yield return [.. batch];
        }
    }

    private ExchangeRecord Record(DemoCall call, DateTimeOffset started, TimeOnly clock, DemoRandom random)
    {
        var exchange = _exchange;
        exchange.Reset();
        exchange.Direction = call.Route == CallRoute.Ingress ? Direction.Ingress : Direction.Egress;
        exchange.Method = call.Method;
        exchange.Target = TargetOf(call);
        var known = _consumers.TryGetValue(call.Key, out var caller);
        exchange.Consumer = known ? caller.Consumer : Consumer.Anonymous;
        var plan = GatewayHandler.Route(exchange, _compiled.Snapshot);
        var answer = exchange.Rejection is { } refused ? PastAnswer.Refused(refused.Status, refused.Policy, refused.Code, random)
            : Access(exchange, isKnown: known, hasKey: call.Key.Length > 0, random) ?? _answers.Of(exchange, plan!, call, started, clock, random);
        return new ExchangeRecord
        {
            Id = ++_id,
            Started = started,
            Direction = exchange.Direction,
            Api = exchange.ApiName,
            Endpoint = exchange.EndpointName,
            Consumer = exchange.Consumer,
            ClientAddress = known ? caller.Address : IPAddress.Parse("203.0.113.66"),
            ClientProtocol = ProtocolVersion.Http11,
            Method = exchange.Method,
            Scheme = exchange.Target.Scheme,
            Host = exchange.Target.Host,
            Port = exchange.Target.Port,
            Path = exchange.Target.Path,
            Query = QueryMask.Mask(exchange.Target.Query ?? "") is { Length: > 0 } query ? query : null,
            Status = answer.Status,
            Outcome = answer.Outcome,
            Reason = answer.Reason,
            Code = answer.Code,
            Cache = answer.Cache,
            Attempts = answer.Attempts,
            Cost = answer.Cost,
            Destination = answer.Attempts == 0 ? "" : plan!.Upstream.Destinations is { Count: > 0 } destinations ? destinations[answer.Region ?? (int)(_id % (ulong)destinations.Count)].ToString() : exchange.Target.ToString(),
            UpstreamProtocol = answer.Attempts == 0 ? ProtocolVersion.None : ProtocolVersion.Http11,
            Auth = answer.Attempts > 0 && exchange.Direction == Direction.Egress && exchange.ApiName != "catalogue" ? exchange.ApiName == "shipping" ? AuthFields.Key : AuthFields.Authorization : AuthFields.None,
            RequestBytes = call.Content?.Length ?? 0,
            ResponseBytes = answer.Bytes,
            Queue = answer.Queue,
            Policies = TimeSpan.FromMicroseconds(20 + random.Below(60)),
            TimeToFirstByte = answer.Attempts == 0 ? TimeSpan.Zero : answer.Took * 0.9,
            Total = answer.Queue + answer.Took,
        };
    }

    /// <summary>As the policies would refuse it; null when they would not.</summary>
    private PastAnswer? Access(Exchange exchange, bool isKnown, bool hasKey, DemoRandom random)
    {
        if (!isKnown && exchange.ApiName != "hooks")
        {
            return PastAnswer.Refused(401, "authenticate", hasKey ? "credential_unknown" : "credential_missing", random);
        }

        var api = _compiled.Config.Apis.First(api => api.Name == exchange.ApiName);
        var access = api.Endpoints.FirstOrDefault(endpoint => SnapshotCompiler.EndpointName(endpoint) == exchange.EndpointName)?.Access ?? api.Access;
        return access is null ? null
            : access.Consumers.Count > 0 && !access.Consumers.Contains(exchange.Consumer.Name) ? PastAnswer.Refused(403, "access", "consumer_not_allowed", random)
            : access.Methods.Count > 0 && !access.Methods.Contains(exchange.Method) ? PastAnswer.Refused(405, "access", "method_not_allowed", random)
            : null;
    }

    private static ExchangeTarget TargetOf(DemoCall call)
    {
        // As a client of the system library sends it: without dot segments.
        var url = new Uri(call.Route switch { CallRoute.BaseUrl => "http://gateway" + call.Target, CallRoute.Ingress => "http://api.shop.example" + call.Target, _ => call.Target });
        var query = url.Query.Length > 1 ? url.Query[1..] : null;
        return new ExchangeTarget(url.Scheme, call.Route == CallRoute.BaseUrl ? "" : url.Host, url.Port, url.AbsolutePath, query);
    }
}
