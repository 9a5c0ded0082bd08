namespace Tidegate.Policies.Limits;

/// <summary>How a limit counts. Without state of its own: that is in the cell, under whose lock every call is made. Times are timestamps of the clock.</summary>
internal abstract class LimitAlgorithm
{
    /// <summary>A wait that no time ends: the cost is above what the limit ever lets pass.</summary>
    public const long Never = long.MaxValue;

    /// <summary>A wait that ends when somebody gives back.</summary>
    public const long UntilReleased = long.MaxValue - 1;

    /// <summary>Takes the cost if there is room.</summary>
    /// <returns>Zero when it was taken; else how many ticks until there would be room, if nobody else took it. Nothing was taken then.</returns>
    public abstract long Take(ref LimitCell cell, long cost, long now);

    /// <summary>Takes the cost in any case; what is too much is owed.</summary>
    public abstract void Charge(ref LimitCell cell, long cost, long now);

    /// <summary>As <see cref="Charge"/>, of a cell that was looked at for the same time just before.</summary>
    public virtual void ChargeSeen(ref LimitCell cell, long cost, long now) => Charge(ref cell, cost, now);

    /// <summary>Gives back what was taken and not used: only from what was taken then, and nothing of what no longer counts.</summary>
    public abstract void Give(ref LimitCell cell, long cost, long takenAt, long now);

    /// <summary>What the numbers in a cell depend on beside the kind: counts of another meaning are others' counts.</summary>
    public virtual string Meaning => "";

    /// <summary>Whether a count outlives the process: what is over in a minute is not worth a disk's time.</summary>
    public virtual bool IsKept => false;

    /// <summary>What a count must remember, with times of the calendar.</summary>
    public virtual void Save(ref LimitCell cell, long now, long utcTicks, List<SavedRun> runs)
    {
    }

    /// <summary>Gives a fresh cell what was remembered.</summary>
    public virtual void Load(ref LimitCell cell, long now, long utcTicks, IReadOnlyList<SavedRun> runs)
    {
    }

    /// <summary>How much of the amount is used now.</summary>
    public abstract long Used(ref LimitCell cell, long now);

    /// <summary>How many ticks until there is room for the cost, when so much waits before it and takes its room as soon as it can; as <see cref="Take"/> otherwise.</summary>
    public abstract long WaitBehind(ref LimitCell cell, long ahead, long cost, long now);

    /// <summary>How many classes share the count, each with a part that is saved under a key of its own.</summary>
    public virtual int ShareCount => 0;

    /// <summary>The key under which a class's part of a count is saved.</summary>
    public virtual UInt128 ShareKey(UInt128 key, int share) => key;

    /// <summary>What a class's part must remember; as <see cref="Save"/>.</summary>
    public virtual void SaveShare(ref LimitCell cell, int share, long now, long utcTicks, List<SavedRun> runs)
    {
    }

    /// <summary>Gives a class of a fresh cell what was remembered; after <see cref="Load"/>.</summary>
    public virtual void LoadShare(ref LimitCell cell, int share, long now, long utcTicks, IReadOnlyList<SavedRun> runs)
    {
    }
}
