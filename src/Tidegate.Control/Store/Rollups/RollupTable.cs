namespace Tidegate.Control.Store.Rollups;

/// <summary>Cells of one width that still change, by when they begin. Bounded: what has too many names in one span is counted with a coarser key. Not thread-safe.</summary>
/// <param name="widthTicks">How long a cell is.</param>
/// <param name="savedBefore">Spans that began before this time may have been saved by an earlier process.</param>
/// <param name="load">Reads what was saved of a cell, or gives a new one.</param>
internal sealed class RollupTable(long widthTicks, long savedBefore, Func<long, RollupKey, RollupCell> load)
{
    private readonly SortedDictionary<long, Dictionary<RollupKey, RollupCell>> _spans = [];
    private long _savedBefore = savedBefore;

    /// <summary>Every cell that was not saved as it is.</summary>
    public IEnumerable<ChangedCell> Changed =>
        from span in _spans
        from cell in span.Value
        where cell.Value.IsDirty
        select new ChangedCell(span.Key, cell.Key, cell.Value);

    public bool HasChanged => _spans.Values.Any(cells => cells.Values.Any(cell => cell.IsDirty));

    /// <summary>The cell that something is to be added to.</summary>
    public RollupCell CellOf(long at, RollupKey key)
    {
        var begin = at - (at % widthTicks);
        if (!_spans.TryGetValue(begin, out var cells))
        {
            _spans.Add(begin, cells = []);
        }

        while (!cells.ContainsKey(key) && cells.Count >= RollupDelta.MaxKinds && !key.IsCoarsest)
        {
            key = key.Coarser();
        }

        if (!cells.TryGetValue(key, out var cell))
        {
            cells.Add(key, cell = begin < _savedBefore ? load(begin, key) : new RollupCell());
        }

        return cell;
    }

    /// <summary>Everything is as it is on the disk.</summary>
    public void MarkSaved() => Mark(isDirty: false);

    /// <summary>Nothing is on the disk any more.</summary>
    public void MarkUnsaved() => Mark(isDirty: true);

    /// <summary>Lets go of spans that ended before a time; whoever comes late is added to what was saved.</summary>
    public void Forget(long beforeTicks)
    {
        while (_spans.Count > 0 && _spans.Keys.First() is var begin && begin + widthTicks <= beforeTicks && _spans[begin].Values.All(cell => !cell.IsDirty))
        {
            _spans.Remove(begin);
            _savedBefore = Math.Max(_savedBefore, begin + widthTicks);
        }
    }

    public void Clear() => _spans.Clear();

    private void Mark(bool isDirty)
    {
        foreach (var cells in _spans.Values)
        {
            foreach (var cell in cells.Values)
            {
                cell.IsDirty = isDirty;
            }
        }
    }
}

/// <summary>A cell that is to be saved.</summary>
/// <param name="Begin">Ticks of UTC.</param>
/// <param name="Key">Whose.</param>
/// <param name="Cell">What.</param>
internal readonly record struct ChangedCell(long Begin, RollupKey Key, RollupCell Cell);
