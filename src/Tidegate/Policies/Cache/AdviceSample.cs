namespace Tidegate.Policies.Cache;

/// <summary>One URL and partition in a simulation: for each lifetime that is tried, until when an answer would have been used, and which.</summary>
internal sealed class AdviceSample
{
    private readonly long[] _expires = new long[CacheAdvice.Lifetimes.Count];
    private readonly UInt128[] _contents = new UInt128[CacheAdvice.Lifetimes.Count];

    /// <summary>A call at that time had that answer.</summary>
    /// <param name="now">The timestamp.</param>
    /// <param name="content">What the answer was.</param>
    /// <param name="lifetimes">In ticks of the timestamp; 0 is not stored.</param>
    /// <param name="tallies">Where hits are counted.</param>
    /// <param name="bytes">Of the answer.</param>
    /// <param name="cost">What the call cost; null when that is not known.</param>
    public void Add(long now, UInt128 content, ReadOnlySpan<long> lifetimes, AdviceTally[] tallies, long bytes, decimal? cost)
    {
        for (var i = 0; i < lifetimes.Length; i++)
        {
            if (now < _expires[i])
            {
                tallies[i].Hits++;
                tallies[i].Bytes += bytes;
                tallies[i].Cost += cost ?? 0;
                tallies[i].UnknownCosts += cost is null ? 1 : 0;
                tallies[i].Untrue += _contents[i] == content ? 0 : 1;
            }
            else if (lifetimes[i] > 0)
            {
                _expires[i] = now + lifetimes[i];
                _contents[i] = content;
            }
        }
    }
}

/// <summary>What one lifetime would have brought.</summary>
internal struct AdviceTally
{
    /// <summary>Calls that would not have been made.</summary>
    public long Hits;

    /// <summary>Their content.</summary>
    public long Bytes;

    /// <summary>What they cost, where that is known.</summary>
    public decimal Cost;

    /// <summary>Those whose cost is not.</summary>
    public long UnknownCosts;

    /// <summary>Those among them that would have got something else than what was true.</summary>
    public long Untrue;
}
