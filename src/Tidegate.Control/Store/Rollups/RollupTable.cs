using Tidegate.Control.Store.Log;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Rollups;

/// <summary>Cells of one width that still change, by when they begin. Bounded: what has too many names in one span is counted with the coarser key. Not thread-safe.</summary>
/// <param name="widthTicks">How long a cell is.</param>
/// <param name="savedBefore">Spans that began before this time may have been saved by an earlier process.</param>
/// <param name="load">Reads what was saved of a cell, or gives a new one.</param>
internal sealed class RollupTable(long widthTicks, long savedBefore, Func<long, RollupKey, RollupCell> load)
{
    // Twenty APIs with ten endpoints, callers and results each; more is a client that invents names.
    private const int MaxKeys = 5_000;

    private readonly SortedDictionary<long, Dictionary<RollupKey, RollupCell>> _spans = [];
    private readonly ByteSink _bytes = new();
    private long _savedBefore = savedBefore;

    public long WidthTicks => widthTicks;

    /// <summary>Records whose key had to be made coarser.</summary>
    public long Coarsened { get; private set; }

    public void Add(in ExchangeRecord record)
    {
        // By its end: then a span is over when its time is.
        var at = record.Started.UtcTicks + Math.Max(0, record.Total.Ticks);
        var begin = at - (at % widthTicks);
        if (!_spans.TryGetValue(begin, out var cells))
        {
            _spans.Add(begin, cells = []);
        }

        var key = RollupKey.Of(in record);
        if (!cells.TryGetValue(key, out var cell))
        {
            if (cells.Count >= MaxKeys)
            {
                Coarsened++;
                key = key.Coarser();
            }

            if (!cells.TryGetValue(key, out cell))
            {
                cells.Add(key, cell = begin < _savedBefore ? load(begin, key) : new RollupCell());
            }
        }

        cell.Add(in record);
    }

    /// <summary>Every cell that changed since it was taken last.</summary>
    public IReadOnlyList<SavedCell> TakeChanged()
    {
        var changed = new List<SavedCell>();
        foreach (var (begin, cells) in _spans)
        {
            foreach (var (key, cell) in cells)
            {
                if (cell.IsDirty)
                {
                    cell.IsDirty = false;
                    var sums = new long[RollupCell.SumCount];
                    cell.CopySums(sums);
                    _bytes.Clear();
                    cell.WriteSketches(_bytes);
                    changed.Add(new SavedCell(begin, key, sums, _bytes.Written.ToArray()));
                }
            }
        }

        return changed;
    }

    /// <summary>They could not be saved: all that is here is to be saved again.</summary>
    public void TakeBack()
    {
        foreach (var cell in _spans.Values.SelectMany(cells => cells.Values))
        {
            cell.IsDirty = true;
        }
    }

    /// <summary>Lets go of spans that ended before a time; whoever comes late is added to what was saved.</summary>
    public void Forget(long beforeTicks)
    {
        while (_spans.Count > 0 && _spans.Keys.First() is var begin && begin + widthTicks <= beforeTicks && _spans[begin].Values.All(cell => !cell.IsDirty))
        {
            _spans.Remove(begin);
            _savedBefore = Math.Max(_savedBefore, begin + widthTicks);
        }
    }
}
