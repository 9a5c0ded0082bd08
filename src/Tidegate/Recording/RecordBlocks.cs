namespace Tidegate.Recording;

/// <summary>All blocks of a recorder: those that are full and wait for the sinks, and those that are free. Bounded.</summary>
/// <param name="capacity">Blocks in all.</param>
internal sealed class RecordBlocks(int capacity)
{
    // 8,192 records, 3 MB: what 160,000 exchanges a second leave in one interval. What a burst needed beyond that is given back.
    private const int KeptWhenFree = 64;

    private readonly Lock _gate = new();
    private readonly Queue<RecordBlock> _full = new();
    private readonly Stack<RecordBlock> _free = new();
    private int _count;
    private int _waiting;

    /// <summary>Blocks that wait for the sinks.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>An empty block; null when all are in use.</summary>
    public RecordBlock? Rent()
    {
        lock (_gate)
        {
            if (_free.TryPop(out var block))
            {
                return block;
            }

            if (_count == capacity)
            {
                return null;
            }

            _count++;
        }

        return new RecordBlock();
    }

    /// <summary>A block waits for the sinks.</summary>
    public void Enqueue(RecordBlock block)
    {
        lock (_gate)
        {
            _full.Enqueue(block);
            _waiting++;
        }
    }

    /// <summary>The block that has waited longest; null when none waits.</summary>
    public RecordBlock? Dequeue()
    {
        lock (_gate)
        {
            if (!_full.TryDequeue(out var block))
            {
                return null;
            }

            _waiting--;
            return block;
        }
    }

    /// <summary>The sinks are done with a block.</summary>
    public void Return(RecordBlock block)
    {
        block.Clear();
        lock (_gate)
        {
            if (_free.Count < KeptWhenFree)
            {
                _free.Push(block);
            }
            else
            {
                _count--;
            }
        }
    }
}
