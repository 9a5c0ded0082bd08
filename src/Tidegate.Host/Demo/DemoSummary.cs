using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Host.Demo;

/// <summary>Counts the records of the demo for its screen. Holds the last seconds only, however long it runs.</summary>
internal sealed class DemoSummary(TimeProvider time) : IExchangeSink
{
    private const string UnlistedHost = "(unlisted)";
    private const string NoRoute = "(no route)";

    /// <summary>What "lately" means on the screen.</summary>
    public static readonly TimeSpan Lately = TimeSpan.FromSeconds(10);

    // More than ten seconds of the demo's busiest traffic.
    private const int MaxKept = 2_000;

    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, ApiCounts> _apis = new(StringComparer.Ordinal);
    private readonly Queue<(long At, ExchangeRecord Record)> _lately = new();
    private long _calls;

    /// <summary>Gives each API its row before its first call, so that the table keeps its height.</summary>
    public void Expect(IEnumerable<(string Api, Direction Direction)> apis)
    {
        lock (_lock)
        {
            foreach (var (api, direction) in apis.Concat([(UnlistedHost, Direction.Egress), (NoRoute, Direction.Ingress)]))
            {
                _apis.TryAdd(api, new ApiCounts(direction));
            }
        }
    }

    /// <inheritdoc/>
    string IExchangeSink.Name => "demo";

    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (ref readonly var record in batch.Span)
            {
                _calls++;
                var name = Name(record);
                if (!_apis.TryGetValue(name, out var counts))
                {
                    _apis[name] = counts = new ApiCounts(record.Direction);
                }

                counts.Add(record);
                _lately.Enqueue((time.GetTimestamp(), record));
                if (_lately.Count > MaxKept)
                {
                    _lately.Dequeue();
                }
            }
        }

        return default;
    }

    public Snapshot Read()
    {
        lock (_lock)
        {
            while (_lately.TryPeek(out var oldest) && time.GetElapsedTime(oldest.At) > Lately)
            {
                _lately.Dequeue();
            }

            var lately = _lately.Select(entry => entry.Record).ToList();
            var rows = _apis.Select(entry => entry.Value.Row(entry.Key, lately.Where(record => Name(record) == entry.Key).ToList())).ToList();
            var troubles = lately.Select(Trouble).OfType<string>().CountBy(trouble => trouble).OrderByDescending(trouble => trouble.Value).ThenBy(trouble => trouble.Key, StringComparer.Ordinal);
            return new Snapshot(_calls, lately.Count / Lately.TotalSeconds, rows, [.. troubles]);
        }
    }

    // What no API of the configuration is for has no name. Names come from the configuration, so there are few.
    private static string Name(ExchangeRecord record) => record.Api.Length > 0 ? record.Api : record.Direction == Direction.Egress ? UnlistedHost : NoRoute;

    private static string? Trouble(ExchangeRecord record) => record switch
    {
        { Outcome: Outcome.ServedFromFallback } => $"{Name(record)} fallback {record.Code}",
        { Outcome: Outcome.Rejected or Outcome.Failed } => $"{Name(record)} {record.Status} {record.Code}",
        { Status: >= 400 } => $"{Name(record)} {record.Status}",
        _ => null,
    };

    /// <summary>What the screen shows.</summary>
    /// <param name="Calls">Since the start.</param>
    /// <param name="CallsPerSecond">Lately.</param>
    /// <param name="Apis">One row each, by name.</param>
    /// <param name="Troubles">What went wrong lately and how often, the most frequent first.</param>
    public sealed record Snapshot(long Calls, double CallsPerSecond, IReadOnlyList<ApiRow> Apis, IReadOnlyList<KeyValuePair<string, int>> Troubles);

    /// <summary>Counts since the start; rate and percentiles lately. Stored are calls that the cache answered. Null percentiles: no call lately.</summary>
    public sealed record ApiRow(string Name, Direction Direction, long Calls, double CallsPerSecond, long Good, long Stored, long ClientErrors, long ServerErrors, long Refused, long Failed, TimeSpan? Median, TimeSpan? Percentile95);

    private sealed class ApiCounts(Direction direction)
    {
        private long _good;
        private long _stored;
        private long _clientErrors;
        private long _serverErrors;
        private long _refused;
        private long _failed;

        public void Add(ExchangeRecord record)
        {
            switch (record.Outcome)
            {
                case Outcome.Rejected:
                    _refused++;
                    break;
                case Outcome.Failed:
                    _failed++;
                    break;
                default:
                    _good += record.Status < 400 ? 1 : 0;
                    _stored += record.Outcome == Outcome.ServedFromCache ? 1 : 0;
                    _clientErrors += record.Status is >= 400 and < 500 ? 1 : 0;
                    _serverErrors += record.Status >= 500 ? 1 : 0;
                    break;
            }
        }

        public ApiRow Row(string name, List<ExchangeRecord> lately)
        {
            var totals = lately.Where(record => record.Outcome != Outcome.Rejected).Select(record => record.Total).Order().ToList();
            return new ApiRow(
                name,
                direction,
                _good + _clientErrors + _serverErrors + _refused + _failed,
                lately.Count / Lately.TotalSeconds,
                _good,
                _stored,
                _clientErrors,
                _serverErrors,
                _refused,
                _failed,
                totals.Count == 0 ? null : totals[totals.Count / 2],
                totals.Count == 0 ? null : totals[totals.Count * 95 / 100]);
        }
    }
}
