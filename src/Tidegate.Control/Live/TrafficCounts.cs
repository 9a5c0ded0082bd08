using Tidegate.Control.Store.Rollups;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Live;

/// <summary>What is shown of one API over some time. Not thread-safe.</summary>
internal sealed class TrafficCounts
{
    private const int SwitchingProtocols = 101;

    private readonly long[] _byOutcome = new long[(int)Outcome.ServedFromFallback + 1];
    private readonly long[] _byStatusClass = new long[10];

    public long Exchanges { get; private set; }

    /// <summary>See <see cref="ErrorRule"/>.</summary>
    public long Errors { get; private set; }

    public long RequestBytes { get; private set; }

    public long ResponseBytes { get; private set; }

    /// <summary>Of exchanges that ended with their answer: a tunnel or WebSocket lasts as long as its client wants.</summary>
    public LatencyDistribution Latency { get; } = new();

    /// <summary>What they cost.</summary>
    public CostSums Costs { get; } = new();

    public long Of(Outcome outcome) => _byOutcome[(int)outcome];

    /// <summary>1 to 9, for 1xx to 9xx; 0 counts exchanges whose client got no answer.</summary>
    public long OfStatusClass(int hundreds) => _byStatusClass[hundreds];

    public void Add(in ExchangeRecord record)
    {
        Exchanges++;
        Errors += ErrorRule.IsError(record.Outcome, record.Status, record.Reason) ? 1 : 0;
        _byOutcome[(int)record.Outcome]++;
        _byStatusClass[Math.Clamp(record.Status / 100, 0, 9)]++;
        RequestBytes += record.RequestBytes;
        ResponseBytes += record.ResponseBytes;
        Costs.Add(in record);
        if (record.Status != SwitchingProtocols && !(record.Method == "CONNECT" && record.Outcome == Outcome.Forwarded))
        {
            Latency.Add(record.Total);
        }
    }

    public void Add(TrafficCounts other)
    {
        Exchanges += other.Exchanges;
        Errors += other.Errors;
        RequestBytes += other.RequestBytes;
        ResponseBytes += other.ResponseBytes;
        for (var i = 0; i < _byOutcome.Length; i++)
        {
            _byOutcome[i] += other._byOutcome[i];
        }

        for (var i = 0; i < _byStatusClass.Length; i++)
        {
            _byStatusClass[i] += other._byStatusClass[i];
        }

        Costs.Add(other.Costs);
        Latency.Add(other.Latency);
    }

    public void Clear()
    {
        Exchanges = Errors = RequestBytes = ResponseBytes = 0;
        Array.Clear(_byOutcome);
        Array.Clear(_byStatusClass);
        Costs.Clear();
        Latency.Clear();
    }
}
