using DuckDB.NET.Data;

namespace Tidegate.Control.Store.Segments;

/// <summary>Takes the values of one row, one after another.</summary>
internal interface IExchangeRow<TRow>
{
    TRow AppendValue(DateTime value);

    TRow AppendValue(string? value);

    TRow AppendValue(bool value);

    TRow AppendValue(byte value);

    TRow AppendValue(ushort value);

    TRow AppendValue(int value);

    TRow AppendValue(long value);

    TRow AppendValue(ulong value);

    TRow AppendValue(decimal? value);
}

/// <summary>A row of a table of DuckDB.</summary>
internal readonly struct SegmentRow(IDuckDBAppenderRow row) : IExchangeRow<SegmentRow>
{
    public static SegmentRow Begin(DuckDBAppender appender) => new(appender.CreateRow());

    public SegmentRow AppendValue(DateTime value) => new(row.AppendValue(value));

    public SegmentRow AppendValue(string? value) => new(row.AppendValue(value));

    public SegmentRow AppendValue(bool value) => new(row.AppendValue(value));

    public SegmentRow AppendValue(byte value) => new(row.AppendValue(value));

    public SegmentRow AppendValue(ushort value) => new(row.AppendValue(value));

    public SegmentRow AppendValue(int value) => new(row.AppendValue(value));

    public SegmentRow AppendValue(long value) => new(row.AppendValue(value));

    public SegmentRow AppendValue(ulong value) => new(row.AppendValue(value));

    public SegmentRow AppendValue(decimal? value) => new(row.AppendValue(value));

    public void End() => row.EndRow();
}
