using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Live;

/// <summary>Keeps live numbers of every API, since the start and over the last minute.</summary>
internal sealed class ApiStatistics(TimeProvider time) : IExchangeSink
{
    /// <summary>The name under which APIs beyond <see cref="Capacity"/> are counted together.</summary>
    public const string Other = "other";

    // Each may take 20 KB: 10 MB when all are busy.
    private const int Capacity = 500;

    private readonly Lock _gate = new();
    private readonly Dictionary<(Direction Direction, string Api), ApiTraffic> _apis = [];

    /// <inheritdoc/>
    public string Name => "apis";

    /// <summary>When counting began.</summary>
    public DateTimeOffset Started { get; } = time.GetUtcNow();

    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            var (lastDirection, lastApi) = (Direction.Ingress, (string?)null);
            TrafficCounts since = null!, minute = null!;
            foreach (ref readonly var record in batch.Span)
            {
                // Mostly the same as of the record before: of one API, whose name is one string.
                if (!ReferenceEquals(record.Api, lastApi) || record.Direction != lastDirection)
                {
                    (lastDirection, lastApi) = (record.Direction, record.Api);
                    var traffic = Of(record.Direction, record.Api);
                    (since, minute) = (traffic.SinceStart, traffic.LastMinute.At(now));
                }

                since.Add(in record);
                minute.Add(in record);
            }
        }

        return default;
    }

    /// <summary>Reads every API that had traffic, by direction and name, while nothing is added.</summary>
    public void Read(Action<Direction, string, TrafficCounts, TrafficCounts> read)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            foreach (var (key, traffic) in _apis.OrderBy(api => api.Key.Direction).ThenBy(api => api.Key.Api, StringComparer.Ordinal))
            {
                read(key.Direction, key.Api, traffic.SinceStart, traffic.LastMinute.Sum(now));
            }
        }
    }

    private ApiTraffic Of(Direction direction, string api)
    {
        if (!_apis.TryGetValue((direction, api), out var traffic))
        {
            var key = _apis.Count < Capacity ? (direction, api) : (direction, Other);
            traffic = _apis.GetValueOrDefault(key) ?? (_apis[key] = new ApiTraffic());
        }

        return traffic;
    }

    private sealed class ApiTraffic
    {
        public TrafficCounts SinceStart { get; } = new();

        public SlidingMinute LastMinute { get; } = new();
    }
}
