using System.Runtime.InteropServices;

namespace Tidegate.Recording;

/// <summary>
/// Takes from all lanes what was begun, one lane after the other, as one block where it fits into one. What ended after that began is left for the next time: what ended before it, on a lane
/// that was looked at already, would come behind it. Of the recorder's thread alone.
/// </summary>
internal sealed class RecordSweep(IReadOnlyList<RecordLane> lanes, RecordBlocks blocks)
{
    private readonly List<RecordBlock> _begun = [];
    private RecordBlock? _left;

    /// <summary>Some is left for the next time.</summary>
    public bool HasMore => _left is not null;

    /// <param name="now">By the clock of the records.</param>
    public void Take(DateTimeOffset now)
    {
        _begun.Clear();
        if (_left is not null)
        {
            // Never left twice, also when the clock was set back.
            now = now > LastOf(_left) ? now : LastOf(_left);
            _begun.Add(_left);
            _left = null;
        }

        foreach (var lane in lanes)
        {
            if (lane.TakeBegun() is { } block)
            {
                _begun.Add(block);
            }
        }

        var merged = _begun.Count == 0 ? null : RecordMerge.TryMerge(CollectionsMarshal.AsSpan(_begun));
        if (merged is not null)
        {
            Leave(merged, now);
        }

        foreach (var block in _begun)
        {
            if (block.Count > 0)
            {
                blocks.Enqueue(block);
            }
            else
            {
                blocks.Return(block);
            }
        }
    }

    private static DateTimeOffset LastOf(RecordBlock block) => RecordMerge.EndOf(in block.Records[^1]);

    private void Leave(RecordBlock merged, DateTimeOffset now)
    {
        var records = merged.Records;
        var taken = 0;
        while (taken < records.Length && RecordMerge.EndOf(in records[taken]) <= now)
        {
            taken++;
        }

        // Where no block is free they go as they are.
        if (taken < records.Length && blocks.Rent() is { } left)
        {
            foreach (ref readonly var record in records[taken..])
            {
                left.Add() = record;
            }

            merged.Cut(taken);
            _left = left;
        }
    }
}
