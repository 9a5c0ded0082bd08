namespace Tidegate.Policies.Limits;

/// <summary>What a cell remembers beside its numbers.</summary>
internal abstract class CellMemory
{
    /// <summary>About how much it takes.</summary>
    public int Bytes { get; protected set; }
}
