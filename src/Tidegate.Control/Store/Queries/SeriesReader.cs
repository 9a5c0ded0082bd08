using System.Data.Common;
using System.Globalization;
using System.Text;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Queries;

/// <summary>
/// Answers a <see cref="SeriesQuery"/> from the sums: first which groups are the largest, then their points. What comes from outside is a parameter; what is text are names of tables and
/// columns of this program.
/// </summary>
/// <param name="database">Open, and for this alone.</param>
/// <param name="query">Which has no problem.</param>
/// <param name="cancellationToken">Ends it between two rows.</param>
internal sealed class SeriesReader(DbConnection database, SeriesQuery query, CancellationToken cancellationToken)
{
    // A query that would read more should be narrowed; it takes about two seconds.
    private const int MaxRows = 1_500_000;

    // Where the group's names are in a row.
    private const int Names = 17;

    private readonly List<(RollupWidth Width, long From, long To)> _spans = [.. RollupWidth.Of(query.From.UtcTicks, query.To.UtcTicks, query.Step.Ticks).Where(span => span.From < span.To)];
    private readonly TextPool _texts = new();
    private readonly Dictionary<long, Kind> _kinds = [];
    private int _rows;

    /// <summary>Where the sums begin; null while there are none.</summary>
    /// <exception cref="DbException">They cannot be read.</exception>
    public static DateTimeOffset? Begin(DbConnection database)
    {
        using var command = database.CreateCommand();
        command.CommandText = $"SELECT (SELECT MIN(begin) FROM {RollupWidth.Minute.Table}), (SELECT MIN(begin) FROM {RollupWidth.Hour.Table})";
        using var row = command.ExecuteReader();
        if (!row.Read() || row.IsDBNull(1))
        {
            return null;
        }

        // Minutes are forgotten long before hours; until then they know it better.
        var hours = row.GetInt64(1);
        return new DateTimeOffset(!row.IsDBNull(0) && row.GetInt64(0) is var minutes && minutes - hours < TimeSpan.TicksPerHour ? minutes : hours, TimeSpan.Zero);
    }

    /// <exception cref="TooWideException">It would read too much.</exception>
    /// <exception cref="DbException">The database cannot be read, or the query was ended in it.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public SeriesResult Read()
    {
        var (largest, omitted) = query.GroupBy.Count == 0 ? ([], 0) : Largest();
        var builder = new SeriesBuilder(query);
        foreach (var span in _spans)
        {
            Add(builder, span, largest);
        }

        return builder.Build(omitted);
    }

    private static string Key(DbDataReader row, int first, int count)
    {
        if (count == 1)
        {
            return Word(row, first);
        }

        // Names may hold anything: their lengths keep them apart.
        var key = new StringBuilder();
        for (var i = 0; i < count; i++)
        {
            var word = Word(row, first + i);
            key.Append(word.Length).Append(':').Append(word);
        }

        return key.ToString();
    }

    private static string Word(DbDataReader row, int column) => row.GetValue(column) switch
    {
        string text => text,
        var number => Convert.ToString(number, CultureInfo.InvariantCulture) ?? "",
    };

    /// <summary>The groups that are told apart, and how many there are beyond.</summary>
    private (HashSet<string> Largest, int Omitted) Largest()
    {
        using var command = database.CreateCommand();
        var columns = string.Join(", ", query.GroupBy.Select(dimension => "k." + dimension));
        var names = string.Join(", ", query.GroupBy);
        var sources = _spans.Select((span, i) => $"SELECT * FROM (SELECT {columns}, c.count AS exchanges FROM {Source(command, span)} LIMIT {MaxRows + 1}) AS s{i}");
        Say(command, $"SELECT {names}, CAST(SUM(exchanges) AS BIGINT) AS exchanges, COUNT(*) FROM ({string.Join(" UNION ALL ", sources)}) AS r GROUP BY {names} ORDER BY {query.GroupBy.Count + 1} DESC, {names}");
        var largest = new HashSet<string>();
        var omitted = 0;
        using var ended = cancellationToken.UnsafeRegister(static command => ((DbCommand)command!).Cancel(), command);
        using var row = command.ExecuteReader();
        while (row.Read())
        {
            Count((int)Math.Min(row.GetInt64(query.GroupBy.Count + 1), MaxRows + 1));
            if (largest.Count < query.Top)
            {
                largest.Add(Key(row, 0, query.GroupBy.Count));
            }
            else
            {
                omitted++;
            }
        }

        _rows = 0;
        return (largest, omitted);
    }

    private void Add(SeriesBuilder builder, (RollupWidth Width, long From, long To) span, HashSet<string> largest)
    {
        using var command = database.CreateCommand();
        var columns = string.Concat(query.GroupBy.Select(dimension => ", k." + dimension));
        Say(command, $"""
            SELECT c.begin, c.count, c.attempts, c.retries, c.request_bytes, c.response_bytes, c.queue_ticks, c.policy_ticks, c.connect_ticks, c.first_byte_ticks, c.total_ticks, c.longest_ticks,
              c.sketches, c.key, k.status, k.outcome, k.cache{columns}
            FROM {Source(command, span)} LIMIT {MaxRows + 1}
            """);
        Span<long> sums = stackalloc long[RollupCell.SumCount];
        using var ended = cancellationToken.UnsafeRegister(static command => ((DbCommand)command!).Cancel(), command);
        using var row = command.ExecuteReader();
        while (row.Read())
        {
            Count(1);
            for (var i = 0; i < sums.Length; i++)
            {
                sums[i] = row.GetInt64(1 + i);
            }

            var id = row.GetInt64(13);
            if (!_kinds.TryGetValue(id, out var kind))
            {
                var key = Key(row, Names, query.GroupBy.Count);
                _kinds.Add(id, kind = new Kind(query.GroupBy.Count == 0 || largest.Contains(key) ? key : null, row.GetInt32(14), row.GetString(15), row.GetString(16)));
            }

            var point = kind.Group is null ? builder.Omitted : builder.Point(row.GetInt64(0), kind.Group, row, Names);
            point.Add(sums, row.GetFieldValue<byte[]>(12), _texts, kind.Status, kind.Outcome, kind.Cache);
        }
    }

    private void Count(int rows)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _rows += rows;
        if (_rows > MaxRows)
        {
            throw new TooWideException("This reads more than a query may: shorten the time, make step an hour, or filter by an API.");
        }
    }

    private string Source(DbCommand command, (RollupWidth Width, long From, long To) span)
    {
        var sql = new StringBuilder($"{span.Width.Table} c JOIN keys k ON k.id = c.key WHERE c.begin >= {Parameter(command, span.From)} AND c.begin < {Parameter(command, span.To)}");
        foreach (var dimension in query.Filters.GroupBy(filter => filter.Dimension))
        {
            sql.Append(" AND (").AppendJoin(" OR ", dimension.Select(filter => Condition(command, dimension.Key, filter.Value))).Append(')');
        }

        return sql.ToString();
    }

    private static string Condition(DbCommand command, string dimension, string value) =>
        dimension == "status" && SeriesQuery.Statuses(value) is var (from, to)
            ? $"k.status BETWEEN {Parameter(command, from)} AND {Parameter(command, to)}"
            : $"k.{dimension} = {Parameter(command, value)}";

    private static string Parameter(DbCommand command, object value)
    {
        var parameter = command.CreateParameter();
        parameter.ParameterName = "@p" + command.Parameters.Count.ToString(CultureInfo.InvariantCulture);
        parameter.Value = value;
        command.Parameters.Add(parameter);
        return parameter.ParameterName;
    }

    private static void Say(DbCommand command, string sql) =>
#pragma warning disable CA2100 // Names of tables and columns of this program; whatever comes from outside is a parameter.
        command.CommandText = sql;
#pragma warning restore CA2100

    /// <summary>What rows of one key have in common.</summary>
    /// <param name="Group">Null: it is left out.</param>
    private readonly record struct Kind(string? Group, int Status, string Outcome, string Cache);
}
