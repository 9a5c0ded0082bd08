namespace Tidegate.Policies.Limits;

/// <summary>The state of one limit for one key. What the numbers mean is the algorithm's.</summary>
internal struct LimitCell
{
    /// <summary>Of limit and key parts; zero is an empty place.</summary>
    public UInt128 Key;

    public long Level;

    public long Time;

    /// <summary>Of rates that have more to remember than one run.</summary>
    public RunLog? Runs;

    /// <summary>The timestamp from which this cell says no more than a fresh one.</summary>
    public long IdleAt;
}
