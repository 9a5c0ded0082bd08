using System.Globalization;
using Microsoft.Data.Sqlite;
using SQLitePCL;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Queries;

/// <summary>
/// Cells of SQLite. Each value that is asked for costs as much as adding a cell does: a row is three of them, a cell is added from where SQLite has it, and what its kind is called is asked once for each
/// kind. Not thread-safe.
/// </summary>
internal sealed class CellRows : SeriesRows
{
    private const int Cell = 2;

    private readonly TextPool _texts = new();
    private readonly SqliteCommand _names;
    private readonly SqliteParameter _key;
    private readonly SqliteCommand _command;
    private readonly SqliteDataReader _row;
    private readonly sqlite3_stmt _statement;

    public CellRows(SqliteConnection database, IReadOnlyList<SeriesQuery> queries, (RollupWidth Width, long From, long To) span)
    {
        _names = database.CreateCommand();
        _command = database.CreateCommand();
        try
        {
#pragma warning disable CA2100 // Names of columns of this program; whatever comes from outside is a parameter.
            _names.CommandText = $"SELECT {string.Join(", ", SeriesQuery.Dimensions)} FROM keys WHERE id = $key";
            _key = _names.Parameters.Add("$key", SqliteType.Integer);
            var begins = $"begin >= {SeriesQuery.Parameter(_command, span.From)} AND begin < {SeriesQuery.Parameter(_command, span.To)}";
            var where = SeriesQuery.Where(queries, _command);
            _command.CommandText = $"SELECT begin, key, cell FROM {span.Width.Cells} WHERE {begins}{(where.Length > 0 ? $" AND key IN (SELECT k.id FROM keys k WHERE 1 = 1{where})" : "")}";
#pragma warning restore CA2100
            _row = _command.ExecuteReader();
            _statement = _row.Handle!;
        }
        catch
        {
            _command.Dispose();
            _names.Dispose();
            throw;
        }
    }

    public override long Begin => raw.sqlite3_column_int64(_statement, 0);

    public override long Key => raw.sqlite3_column_int64(_statement, 1);

    public override bool Read() => _row.Read();

    public override string[]? Names()
    {
        _key.Value = Key;
        using var found = _names.ExecuteReader();
        if (!found.Read())
        {
            return null;
        }

        var names = new string[SeriesQuery.Dimensions.Count];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = Convert.ToString(found.GetValue(i), CultureInfo.InvariantCulture) ?? "";
        }

        return names;
    }

    public override void AddTo(SeriesPoint point, SeriesKind kind) => point.AddWritten(raw.sqlite3_column_blob(_statement, Cell), kind, _texts);

    protected override void Dispose(bool disposing)
    {
        _row.Dispose();
        _command.Dispose();
        _names.Dispose();
    }
}
