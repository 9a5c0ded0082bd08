using Tidegate.Policies.Limits.Shares;

namespace Tidegate.Policies.Limits;

/// <summary>The state of one limit for one key. What the numbers mean is the algorithm's.</summary>
internal struct LimitCell
{
    /// <summary>Of limit and key parts; zero is an empty place.</summary>
    public UInt128 Key;

    public long Level;

    public long Time;

    /// <summary>Runs of rates that have more to remember than one, and what classes have of a shared count. Most cells have neither.</summary>
    public CellMemory? Memory;

    /// <summary>The timestamp from which this cell says no more than a fresh one.</summary>
    public long IdleAt;

    /// <summary>Of rates that have more to remember than one run.</summary>
    public RunLog? Runs
    {
        readonly get => Memory?.Log;
        set
        {
            if (Memory is ShareMemory shares)
            {
                shares.Runs = value;
            }
            else
            {
                Memory = value;
            }
        }
    }
}
