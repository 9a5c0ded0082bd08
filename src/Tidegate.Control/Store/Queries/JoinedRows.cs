using System.Data.Common;
using System.Globalization;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Queries;

/// <summary>Cells that have a column for each sum: those of PostgreSQL, and of SQLite what earlier versions have left. Not thread-safe.</summary>
internal sealed class JoinedRows : SeriesRows
{
    private const int FirstSum = 2;
    private const int Sketches = FirstSum + RollupCell.SumCount;
    private const int FirstName = Sketches + 1;

    private readonly TextPool _texts = new();
    private readonly DbCommand _command;
    private readonly CancellationTokenRegistration _ended;
    private readonly DbDataReader _row;
    private readonly long[] _sums = new long[RollupCell.SumCount];
    private RollupCell? _cell;

    public JoinedRows(DbConnection database, IReadOnlyList<SeriesQuery> queries, (RollupWidth Width, long From, long To) span, CancellationToken cancellationToken)
    {
        _command = database.CreateCommand();
#pragma warning disable CA2100 // Names of columns of this program; whatever comes from outside is a parameter.
        _command.CommandText = $"""
            SELECT c.begin, c.key, {string.Join(", ", RollupDatabase.Sums.Split(", ").Select(sum => "c." + sum))}, c.sketches, {string.Join(", ", SeriesQuery.Dimensions.Select(dimension => "k." + dimension))}
            FROM {span.Width.Table} c JOIN keys k ON k.id = c.key
            WHERE c.begin >= {SeriesQuery.Parameter(_command, span.From)} AND c.begin < {SeriesQuery.Parameter(_command, span.To)}{SeriesQuery.Where(queries, _command)} LIMIT {SeriesScan.MaxRows + 1}
            """;
#pragma warning restore CA2100
        _ended = cancellationToken.UnsafeRegister(static command => ((DbCommand)command!).Cancel(), _command);
        try
        {
            _row = _command.ExecuteReader();
        }
        catch
        {
            _ended.Dispose();
            _command.Dispose();
            throw;
        }
    }

    public override long Begin => _row.GetInt64(0);

    public override long Key => _row.GetInt64(1);

    public override bool Read()
    {
        _cell = null;
        return _row.Read();
    }

    public override string[]? Names()
    {
        var names = new string[SeriesQuery.Dimensions.Count];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = Convert.ToString(_row.GetValue(FirstName + i), CultureInfo.InvariantCulture) ?? "";
        }

        return names;
    }

    public override void AddTo(SeriesPoint point, SeriesKind kind)
    {
        if (_cell is null)
        {
            for (var i = 0; i < _sums.Length; i++)
            {
                _sums[i] = _row.GetInt64(FirstSum + i);
            }

            _cell = new RollupCell();
            _cell.AddSaved(_sums, _row.GetFieldValue<byte[]>(Sketches), _texts);
        }

        point.Add(_cell, kind);
    }

    protected override void Dispose(bool disposing)
    {
        _ended.Dispose();
        _row.Dispose();
        _command.Dispose();
    }
}
