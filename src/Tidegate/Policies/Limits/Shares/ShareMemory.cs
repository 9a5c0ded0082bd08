namespace Tidegate.Policies.Limits.Shares;

/// <summary>What the classes have of one shared count.</summary>
internal sealed class ShareMemory(SharedCount shape, RunLog? runs) : CellMemory
{
    // Of this object and of what a class has, as the runtime lays them out.
    private const int BareBytes = 80;
    private const int BytesPerClass = 88;

    public readonly ShareState[] States = new ShareState[shape.Classes.Count];

    /// <summary>Whose classes these are: another configuration may have others.</summary>
    public readonly SharedCount Shape = shape;

    /// <summary>Of the whole count.</summary>
    public RunLog? Runs = runs;

    /// <summary>Which horizon <see cref="ShareState.High"/> is of; of a quota, when its period ends.</summary>
    public long Slot;

    public override RunLog? Log => Runs;

    /// <summary>Some of the runs may have become more.</summary>
    public void Measure()
    {
        var bytes = BareBytes + (States.Length * BytesPerClass) + (Runs?.Bytes ?? 0);
        foreach (ref readonly var state in States.AsSpan())
        {
            bytes += state.Count.Memory?.Bytes ?? 0;
        }

        Bytes = bytes;
    }
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
