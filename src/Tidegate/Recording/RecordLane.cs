using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>Where the exchanges that end on one core leave their records: what another core does is not waited for.</summary>
internal sealed class RecordLane(RecordBlocks blocks)
{
    private readonly Lock _gate = new();
    private RecordBlock? _filling;
    private bool _isClosed;

    /// <summary>Adds a record.</summary>
    public LaneResult Add(RecordMaker maker, Exchange exchange)
    {
        lock (_gate)
        {
            var block = _isClosed ? null : _filling ??= blocks.Rent();
            if (block is null)
            {
                return LaneResult.Lost;
            }

            maker.Make(exchange, out block.Add());
            if (block.IsFull)
            {
                blocks.Enqueue(block);
                _filling = null;
                return LaneResult.Full;
            }

            return block.Count == 1 ? LaneResult.First : LaneResult.Added;
        }
    }

    /// <summary>From now on there is no room.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
        }
    }

    /// <summary>Takes away what was begun; null when nothing was.</summary>
    public RecordBlock? TakeBegun()
    {
        lock (_gate)
        {
            var block = _filling;
            _filling = null;
            return block;
        }
    }
}

/// <summary>What became of a record.</summary>
internal enum LaneResult
{
    Added,

    /// <summary>There was no room.</summary>
    Lost,

    /// <summary>It is the first since records were last taken from its lane.</summary>
    First,

    /// <summary>It filled a block.</summary>
    Full,
}
