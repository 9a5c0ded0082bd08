namespace Tidegate.Recording;

/// <summary>A run of records in the order in which they were made; its memory is used again and again.</summary>
internal sealed class RecordBlock
{
    /// <summary>128: 45 KB, below what the garbage collector treats as large, and enough to make a hand-over cheap for each record.</summary>
    public const int Size = 128;

    private readonly ExchangeRecord[] _records = new ExchangeRecord[Size];

    public int Count { get; private set; }

    public bool IsFull => Count == Size;

    public Span<ExchangeRecord> Records => _records.AsSpan(0, Count);

    public ReadOnlyMemory<ExchangeRecord> Memory => _records.AsMemory(0, Count);

    /// <summary>The next place, to be filled at once.</summary>
    public ref ExchangeRecord Add() => ref _records[Count++];

    /// <summary>Lets go of what the records hold.</summary>
    public void Clear() => Cut(0);

    /// <summary>Lets go of all but the first.</summary>
    public void Cut(int count)
    {
        Records[count..].Clear();
        Count = count;
    }
}
