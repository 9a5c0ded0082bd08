namespace Tidegate.Policies.Limits;

/// <summary>
/// How long it took of late until the next one was served, where only others' ends make room and nobody knows when they come: a mean of the last intervals, of which the newer count
/// more. Of a line, as long as somebody waits there; the first of them know nothing.
/// </summary>
internal sealed class ServicePace
{
    /// <summary>Of so few intervals the mean is off by a quarter, and of fewer nothing is said.</summary>
    public const int WellFounded = 16;

    private double _ticksPerCost;
    private long _lastAt;
    private int _intervals = -1;

    /// <summary>Somebody was served.</summary>
    public void Served(long cost, long now)
    {
        var interval = (now - _lastAt) / (double)Math.Max(1, cost);
        _lastAt = now;
        _intervals += _intervals < WellFounded ? 1 : 0;
        if (_intervals > 0)
        {
            _ticksPerCost += (interval - _ticksPerCost) / _intervals;
        }
    }

    /// <summary>How long it will take until so much was served, if it goes on like that.</summary>
    public bool TryEstimate(long cost, out long ticks)
    {
        var estimate = cost * _ticksPerCost;
        ticks = estimate < LimitAlgorithm.UntilReleased / 2 ? (long)estimate : LimitAlgorithm.UntilReleased / 2;
        return _intervals == WellFounded;
    }
}
