using Tidegate.Exchanges;

namespace Tidegate.Recording.Metrics;

/// <summary>
/// Aggregates records into a bounded number of series. Runs in the recorder's loop: traffic pays nothing for it, and a scrape waits at
/// most for one batch.
/// </summary>
internal sealed class ExchangeMetrics : IExchangeSink
{
    /// <summary>
    /// 2,000: some twenty APIs, called by ten consumers each with ten kinds of result, at 2 MB of memory and about as much on the wire
    /// for a scrape. One Prometheus server takes that from hundreds of gateways.
    /// </summary>
    public const int DefaultCapacity = 2_000;

    // A histogram is twenty lines where a counter is one, and needs no consumer.
    private const int DurationShare = 4;
    private const int PhaseShare = 10;
    private const int MaxHosts = 100;
    private const int MaxObserved = 200;
    private const int MaxCosts = 500;

    private static readonly HashSet<string> Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

    private readonly SeriesMemory _memory = new();
    private readonly HostLabels _hosts = new(MaxHosts);
    private readonly SeriesTable<CountSeries> _counts;
    private readonly SeriesTable<DurationSeries> _durations;
    private readonly SeriesTable<PhaseSeries> _phases;
    private readonly Dictionary<(Direction Direction, string Api, PolicyDecision Decision), long> _observed = [];
    private readonly Dictionary<(string Api, string Currency), decimal> _costs = [];
    private readonly Dictionary<string, long> _unknownCosts = [];

    /// <param name="capacity">Different label sets of the exchange counters; histograms get a fixed part of it.</param>
    public ExchangeMetrics(int capacity = DefaultCapacity)
    {
        _counts = new SeriesTable<CountSeries>(capacity);
        _durations = new SeriesTable<DurationSeries>(Math.Max(1, capacity / DurationShare));
        _phases = new SeriesTable<PhaseSeries>(Math.Max(1, capacity / PhaseShare));
    }

    /// <inheritdoc/>
    public string Name => "metrics";

    /// <summary>Held while a batch is added, and to be held while the series are read.</summary>
    public Lock Gate { get; } = new();

    public IReadOnlyCollection<KeyValuePair<SeriesKey, CountSeries>> Counts => _counts.Series;

    public IReadOnlyCollection<KeyValuePair<SeriesKey, DurationSeries>> Durations => _durations.Series;

    public IReadOnlyCollection<KeyValuePair<SeriesKey, PhaseSeries>> Phases => _phases.Series;

    /// <summary>What policies in observe mode would have refused.</summary>
    public IReadOnlyDictionary<(Direction Direction, string Api, PolicyDecision Decision), long> Observed => _observed;

    /// <summary>What is known of the cost of exchanges.</summary>
    public IReadOnlyDictionary<(string Api, string Currency), decimal> Costs => _costs;

    /// <summary>Exchanges whose cost is not known, or not all of it, by API.</summary>
    public IReadOnlyDictionary<string, long> UnknownCosts => _unknownCosts;

    /// <summary>Exchanges that were counted under <see cref="SeriesKey.Other"/>, because there was no room for their own series.</summary>
    public long FoldedCounts { get; private set; }

    /// <summary>The same for one of the histograms, of which there are fewer.</summary>
    public long FoldedHistograms { get; private set; }

    /// <summary>Exchanges whose host was counted as <see cref="SeriesKey.Other"/>, because there were too many.</summary>
    public long FoldedHosts => _hosts.Folded;

    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (Gate)
        {
            foreach (ref readonly var record in batch.Span)
            {
                Add(in record);
            }
        }

        return default;
    }

    private void Add(in ExchangeRecord record)
    {
        var counts = _memory.Find(in record) ?? Find(in record);
        FoldedHistograms += counts.AreHistogramsFolded ? 1 : 0;
        counts.Exchanges++;
        counts.RequestBytes += record.RequestBytes;
        counts.ResponseBytes += record.ResponseBytes;
        counts.Durations!.Total.Observe(record.Total);
        var phases = counts.Phases!;
        phases.Attempts += record.Attempts;
        phases.Policies.Observe(record.Policies);
        ObserveUnlessZero(phases.Queue, record.Queue);
        ObserveUnlessZero(phases.Connect, record.Connect);
        ObserveUnlessZero(phases.FirstByte, record.TimeToFirstByte);
        AddCost(in record);
        for (var i = 0; i < record.Observed.Count; i++)
        {
            AddObserved(in record, record.Observed[i]);
        }
    }

    private CountSeries Find(in ExchangeRecord record)
    {
        var key = Key(in record);
        var counts = _counts.For(key, out var isFolded);
        if (counts.Durations is null)
        {
            var found = isFolded ? key.Folded() : key;
            counts.Durations = _durations.For(found.WithoutConsumer(), out var areDurationsFolded);
            counts.Phases = _phases.For(found.OfApi(), out var arePhasesFolded);
            counts.AreHistogramsFolded = isFolded || areDurationsFolded || arePhasesFolded;
        }

        FoldedCounts += isFolded ? 1 : 0;
        if (!isFolded && key.Host != SeriesKey.Other)
        {
            // What is folded is counted as such each time.
            _memory.Keep(in record, counts);
        }

        return counts;
    }

    private SeriesKey Key(in ExchangeRecord record) => new()
    {
        Direction = record.Direction,
        Outcome = record.Outcome,
        Status = record.Status,
        Api = record.Api,
        Endpoint = record.Endpoint,
        Host = _hosts.Of(in record),
        Scheme = record.Scheme,
        Consumer = record.Consumer.Name,
        Tenant = record.Consumer.Tenant,
        Environment = record.Consumer.Environment,
        Method = record.Method.Length == 0 || Methods.Contains(record.Method) ? record.Method : SeriesKey.Other,
        Code = record.Code,
    };

    private void AddObserved(in ExchangeRecord record, PolicyDecision decision)
    {
        var key = (record.Direction, record.Api, decision);
        if (!_observed.TryGetValue(key, out var count) && _observed.Count >= MaxObserved)
        {
            key = (record.Direction, SeriesKey.Other, new PolicyDecision(SeriesKey.Other, SeriesKey.Other));
            count = _observed.GetValueOrDefault(key);
        }

        _observed[key] = count + 1;
    }

    private void AddCost(in ExchangeRecord record)
    {
        if (record.Cost.Currency.Length > 0)
        {
            var key = (record.Api, record.Cost.Currency);
            if (!_costs.ContainsKey(key) && _costs.Count >= MaxCosts)
            {
                key = (SeriesKey.Other, record.Cost.Currency);
            }

            _costs[key] = _costs.GetValueOrDefault(key) + record.Cost.Amount;
        }

        if (record.IsCostUnknown)
        {
            var api = _unknownCosts.ContainsKey(record.Api) || _unknownCosts.Count < MaxCosts ? record.Api : SeriesKey.Other;
            _unknownCosts[api] = _unknownCosts.GetValueOrDefault(api) + 1;
        }
    }

    private static void ObserveUnlessZero(BucketHistogram histogram, TimeSpan duration)
    {
        if (duration > TimeSpan.Zero)
        {
            histogram.Observe(duration);
        }
    }
}
