namespace Tidegate.Policies.Limits;

/// <summary>What a cell remembers beside its numbers.</summary>
internal abstract class CellMemory
{
    /// <summary>About how much it takes.</summary>
    public abstract int Bytes { get; }

    /// <summary>What was taken when, of a rate that has more to remember than one run.</summary>
    public abstract RunLog? Log { get; }
}
