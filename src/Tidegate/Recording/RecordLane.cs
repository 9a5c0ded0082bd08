using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>Where the exchanges that end on one core leave their records: what another core does is not waited for.</summary>
internal sealed class RecordLane(RecordBlocks blocks)
{
    private readonly Lock _gate = new();
    private RecordBlock? _filling;

    /// <summary>Adds a record.</summary>
    /// <returns>Null when there is no room; else whether it is the first since records were last taken from here.</returns>
    public bool? Add(RecordMaker maker, Exchange exchange)
    {
        lock (_gate)
        {
            var block = _filling ??= blocks.Rent();
            if (block is null)
            {
                return null;
            }

            maker.Make(exchange, out block.Add());
            var isFirst = block.Count == 1;
            if (block.IsFull)
            {
                blocks.Enqueue(block);
                _filling = null;
            }

            return isFirst;
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
