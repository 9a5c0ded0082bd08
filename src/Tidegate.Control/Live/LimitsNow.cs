using System.Net;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Learning;

namespace Tidegate.Control.Live;

/// <summary>
/// Limits as they are now: what was written, for those that tell callers apart the fullest few of them, and what providers said of their own windows. Counts are found by a hash, which says
/// nothing of whose they are; whose is looked for among the last exchanges and the configured consumers. So nothing is kept for it on the way of an exchange.
/// </summary>
internal sealed class LimitsNow(IGatewayView gateway, RecentExchanges recent, TimeProvider time)
{
    /// <summary>Of a limit's counts, and of an API's windows: who is near its end is among them.</summary>
    public const int Most = 5;

    // The newest: who takes much of a limit has called of late.
    private const int MostExchanges = 2_000;

    // More is no list that a person wrote.
    private const int MostConsumers = 500;

    // However many look.
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private (IReadOnlyList<LimitNow> Limits, IReadOnlyList<KnownWindow> Windows) _read = ([], []);
    private CompiledKey? _of;

    /// <summary>Limits, and of each API the windows of which least is left.</summary>
    public (IReadOnlyList<LimitNow> Limits, IReadOnlyList<KnownWindow> Windows) Read()
    {
        lock (_gate)
        {
            var snapshot = gateway.Configuration.Snapshot;
            if (_of is not { } of || of.Snapshot != snapshot || time.GetElapsedTime(of.At) >= Fresh)
            {
                _read = ([.. ReadLimits(snapshot)], [.. ReadWindows(gateway)]);
                _of = new CompiledKey(snapshot, time.GetTimestamp());
            }

            return _read;
        }
    }

    /// <summary>Of each API the windows of which least is left, the fullest first.</summary>
    private static IEnumerable<KnownWindow> ReadWindows(IGatewayView gateway) =>
        gateway.Limits.Providers.OrderBy(provider => provider.Api, StringComparer.Ordinal).SelectMany(provider => provider.Windows().OrderByDescending(window => window.Used ?? -1).ThenBy(window => window.Name, StringComparer.Ordinal).Take(Most));

    private List<LimitNow> ReadLimits(GatewaySnapshot snapshot)
    {
        var store = gateway.Limits;
        var now = store.Time.GetTimestamp();
        var limits = new List<LimitNow>();
        var written = new HashSet<(string Api, string Scope, string Name)>();
        Callers? callers = null;
        foreach (var plan in snapshot.Plans)
        {
            foreach (var policy in plan.Pipeline.Policies.OfType<LimitsPolicy>())
            {
                foreach (var limit in policy.Limits)
                {
                    if (!written.Add((plan.Route.ApiName, limit.Scope, limit.Settings.Name)))
                    {
                        continue;
                    }

                    var isOne = limit.Settings.Per.Count == 0;
                    var endpoint = limit.Scope == plan.Route.ApiName ? null : plan.Route.EndpointName;
                    limits.Add(new LimitNow(
                        plan.Route.ApiName,
                        limit.Scope,
                        limit.Settings.Name,
                        limit.Settings.Text,
                        limit.Settings.Unit,
                        limit.Settings.Amount,
                        isOne ? store.Cells.Used(limit.Algorithm, limit.OnlyKey, now) : null,
                        string.Join(", ", limit.Settings.Per.Select(part => part.Text)),
                        policy.Queue?.Count,
                        isOne ? [] : Fullest(limit, (callers ??= new Callers(gateway, recent)).Of(plan.Route.ApiName, endpoint), store, now)));
                }
            }
        }

        return limits;
    }

    private static IReadOnlyList<LimitKeyNow> Fullest(Limit written, IEnumerable<Caller> callers, LimitStore store, long now)
    {
        // What a header says may be a secret, and is in no record.
        if (written.Settings.Per.Any(part => part.Kind == KeyPartKind.Header))
        {
            return [];
        }

        var found = new Dictionary<UInt128, LimitKeyNow>();
        foreach (var caller in callers)
        {
            string[] values = [.. written.Settings.Per.Select(caller.ValueOf)];
            var limit = written.Of(values, out var key);
            if (!found.ContainsKey(key) && store.Cells.Used(limit.Algorithm, key, now) is > 0 and var used)
            {
                found.Add(key, new LimitKeyNow(string.Join(", ", values.Select(value => value.Length == 0 ? "none" : value)), limit.Settings.Amount, used));
            }
        }

        return [.. found.Values.OrderByDescending(key => key.Share).ThenBy(key => key.Of, StringComparer.Ordinal).Take(Most)];
    }

    private sealed record CompiledKey(GatewaySnapshot Snapshot, long At);

    /// <summary>Who may have a count of their own.</summary>
    private sealed class Callers
    {
        private readonly ILookup<string, Caller> _byApi;
        private readonly IReadOnlyList<Caller> _configured;

        public Callers(IGatewayView gateway, RecentExchanges recent)
        {
            var seen = new HashSet<Caller>();
            var looked = 0;
            recent.Find(
                record =>
                {
                    seen.Add(new Caller(record.Api, record.Endpoint, record.Consumer, record.Host, record.ClientAddress, record.Credential, record.Path));
                    return ++looked >= MostExchanges;
                },
                limit: 1);
            _byApi = seen.ToLookup(caller => caller.Api, StringComparer.Ordinal);
            _configured = [.. gateway.Configuration.Config.Consumers.Take(MostConsumers).Select(consumer => new Caller("", "", new Consumer(consumer.Name, consumer.Tenant, consumer.Environment), "", IPAddress.None, "", ""))];
        }

        public IEnumerable<Caller> Of(string api, string? endpoint) => _byApi[api].Where(caller => endpoint is null || caller.Endpoint == endpoint).Concat(_configured);
    }

    private readonly record struct Caller(string Api, string Endpoint, Consumer Consumer, string Host, IPAddress Address, string Credential, string Path)
    {
        public string ValueOf(KeyPart part) => part.Kind switch
        {
            KeyPartKind.Consumer => Consumer.Name,
            KeyPartKind.Tenant => Consumer.Tenant,
            KeyPartKind.Environment => Consumer.Environment,
            KeyPartKind.Endpoint => Endpoint,
            KeyPartKind.Host => Host,
            KeyPartKind.Credential => Credential,
            KeyPartKind.Path => KeyPart.SegmentOf(Path, part.Segment).ToString(),
            _ => Address.ToString(),
        };
    }
}

/// <summary>A limit as it is now.</summary>
/// <param name="Api">Whose.</param>
/// <param name="Scope">The API, and the endpoint where it is written for one.</param>
/// <param name="Name">Unique in its API.</param>
/// <param name="Text">As it was written: 40/5s.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Amount">Of the unit.</param>
/// <param name="Used">Of the amount; null where each key has a count of its own.</param>
/// <param name="Per">What has counts of its own.</param>
/// <param name="Waiting">Exchanges in its queue; null where nobody waits.</param>
/// <param name="Fullest">Of those that have counts of their own the fullest few that are known by name.</param>
internal sealed record LimitNow(string Api, string Scope, string Name, string Text, LimitUnit Unit, long Amount, long? Used, string Per, int? Waiting, IReadOnlyList<LimitKeyNow> Fullest)
{
    /// <summary>How much of it is used, by its fullest key where each has its own; null: that is not known.</summary>
    public double? Share => Used is { } used ? (double)used / Amount : Fullest.Count > 0 ? Fullest[0].Share : null;
}

/// <summary>A count of one of those that a limit tells apart.</summary>
/// <param name="Of">Whose, as records name them, in the order of the limit's parts.</param>
/// <param name="Amount">What the limit lets it have.</param>
/// <param name="Used">Of the amount.</param>
internal sealed record LimitKeyNow(string Of, long Amount, long Used)
{
    public double Share => (double)Used / Amount;
}
