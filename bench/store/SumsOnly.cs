using Tidegate.Control.Store.Rollups;
using Tidegate.Recording;

namespace Tidegate.StoreBench;

/// <summary>
/// Makes the sums of more records than a bench can wait for to be logged: each record is counted as the store counts it, but nothing else is kept of it, and sums are saved once, when their span is
/// over. Minutes are left out: no view of a day reads them but at its ends.
/// </summary>
internal static class SumsOnly
{
    private const int Batch = 128;
    private static readonly IReadOnlyList<RollupWidth> Widths = [RollupWidth.QuarterHour, RollupWidth.Hour, RollupWidth.QuarterDay];

    public static void Make(string directory, long records, DateTimeOffset start, TimeSpan length)
    {
        using var database = new RollupDatabase(directory);
        var tables = Widths.Select(width => (Name: width.Cells, Table: new RollupTable(width.Ticks, 0, static (_, _) => new RollupCell()))).ToList();
        var traffic = new Traffic(1);
        var batch = new ExchangeRecord[Batch];
        var delta = new RollupDelta();
        for (var (written, next) = (0L, RollupWidth.QuarterHour.Ticks); written < records; written += Batch)
        {
            // Ticks of all by their number: the distance of two may be less than a tick.
            var at = (long)((double)written / records * length.Ticks);
            traffic.Fill(batch, start.AddTicks(at), length / records);
            foreach (ref readonly var record in batch.AsSpan())
            {
                delta.Add(in record);
            }

            if (at >= next || written + Batch >= records)
            {
                Merge(delta, tables);
                Save(database, tables, written + Batch >= records ? long.MaxValue : (start.UtcTicks + at));
                next += RollupWidth.QuarterHour.Ticks;
            }
        }
    }

    private static void Merge(RollupDelta delta, List<(string Name, RollupTable Table)> tables)
    {
        foreach (var (kind, cell) in delta.Cells)
        {
            foreach (var (_, table) in tables)
            {
                table.CellOf(kind.Minute, kind.Key).Add(cell);
            }
        }

        delta.Clear();
    }

    // What a span that is over a minute ago has is all that it will have.
    private static void Save(RollupDatabase database, List<(string Name, RollupTable Table)> tables, long past)
    {
        for (var i = 0; i < tables.Count; i++)
        {
            var (name, table) = tables[i];
            var width = Widths[i].Ticks;
            var over = table.Changed.Where(cell => past == long.MaxValue || cell.Begin + width + TimeSpan.TicksPerMinute <= past).ToList();
            database.Save([(name, over)], 0, 0, isDurable: false);
            over.ForEach(static cell => cell.Cell.IsDirty = false);
            table.Forget(past == long.MaxValue ? past : past - TimeSpan.TicksPerMinute);
        }
    }
}
