using System.Runtime.InteropServices;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Rollups;

/// <summary>
/// Sums of what came since they were taken last, by minute and kind. All that the recorder's thread does for the sums: one look-up for each record. Cells that are in use stay when it is
/// cleared, so that steady traffic allocates nothing. Bounded. Not thread-safe.
/// </summary>
internal sealed class RollupDelta
{
    // Twenty APIs with ten endpoints, callers and results each; more is a client that invents names.
    public const int MaxKinds = 5_000;

    private readonly Dictionary<RollupKind, RollupCell> _cells = [];

    public bool IsEmpty { get; private set; } = true;

    public IEnumerable<KeyValuePair<RollupKind, RollupCell>> Cells => _cells.Where(cell => cell.Value.Count > 0);

    /// <summary>The minute that a record counts in: by its end, then a minute is over when its time is.</summary>
    public static long MinuteOf(in ExchangeRecord record)
    {
        var at = record.Started.UtcTicks + Math.Max(0, record.Total.Ticks);
        return at - (at % RollupWidth.Minute.Ticks);
    }

    public void Add(in ExchangeRecord record)
    {
        var kind = new RollupKind(MinuteOf(in record), RollupKey.Of(in record));
        IsEmpty = false;
        CellOf(kind).Add(in record);
    }

    /// <summary>Begins anew, and forgets kinds that did not come this time.</summary>
    public void Clear()
    {
        IsEmpty = true;
        foreach (var (kind, cell) in _cells)
        {
            if (cell.Count == 0)
            {
                _cells.Remove(kind);
            }
            else
            {
                cell.Clear();
            }
        }
    }

    private RollupCell CellOf(in RollupKind kind)
    {
        if (_cells.TryGetValue(kind, out var known))
        {
            return known;
        }

        for (var coarse = kind; ; coarse = coarse with { Key = coarse.Key.Coarser() })
        {
            if (_cells.Count < MaxKinds || coarse.Key.IsCoarsest)
            {
                ref var cell = ref CollectionsMarshal.GetValueRefOrAddDefault(_cells, coarse, out _);
                return cell ??= new RollupCell();
            }

            if (_cells.TryGetValue(coarse, out known))
            {
                return known;
            }
        }
    }
}

/// <summary>One kind of exchanges in one minute.</summary>
/// <param name="Minute">When it began, in ticks of UTC.</param>
/// <param name="Key">The kind.</param>
internal readonly record struct RollupKind(long Minute, RollupKey Key)
{
    // The minute is the same for nearly all.
    public override int GetHashCode() => Key.GetHashCode();
}
