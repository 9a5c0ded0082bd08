namespace Tidegate.Policies.Limits;

/// <summary>What a cell remembers beside its numbers.</summary>
internal abstract class CellMemory
{
    // A field and no method, because it is asked for with every taking; and no more than it needs, because there are millions.
    private ushort _bytes;

    /// <summary>About how much it takes.</summary>
    public int Bytes
    {
        get => _bytes;
        protected set => _bytes = (ushort)Math.Min(value, ushort.MaxValue);
    }

    /// <summary>What was taken when, of a rate that has more to remember than one run.</summary>
    public abstract RunLog? Log { get; }
}
