namespace Tidegate.Policies.Limits.Shares;

/// <summary>What the classes have of one shared count.</summary>
internal sealed class ShareMemory(SharedCount shape, RunLog? runs) : CellMemory
{
    public readonly ShareState[] States = new ShareState[shape.Classes.Count];

    /// <summary>Whose classes these are: another configuration may have others.</summary>
    public readonly SharedCount Shape = shape;

    /// <summary>Of the whole count.</summary>
    public RunLog? Runs = runs;

    /// <summary>Which horizon <see cref="ShareState.High"/> is of; of a quota, when its period ends.</summary>
    public long Slot;
}

/// <summary>What one class has of a shared count, and what is kept for it.</summary>
internal struct ShareState
{
    /// <summary>What it has taken, as the limit counts; of a bucket only where the class has a bound of its own.</summary>
    public LimitCell Count;

    /// <summary>Of a bucket: how much of the level is the class's, in tokens. What flows off is everybody's in proportion.</summary>
    public double Level;

    /// <summary>The most it had at once in this horizon.</summary>
    public long High;

    /// <summary>And in the one before.</summary>
    public long HighBefore;

    /// <summary>Since when something is kept for it: whoever came first goes first.</summary>
    public long Since;

    /// <summary>Until when all of its guarantee is kept, because it was refused within it.</summary>
    public long ClaimedUntil;
}
