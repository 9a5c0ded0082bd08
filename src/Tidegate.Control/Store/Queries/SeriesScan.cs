using System.Data.Common;
using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Queries;

/// <summary>Answers several queries about the same time, which differ in what they group and filter by, with one reading of the rows. Not thread-safe.</summary>
internal sealed class SeriesScan
{
    // A scan that would read more should be narrowed; it takes about two seconds.
    public const int MaxRows = 1_500_000;

    private readonly IReadOnlyList<SeriesQuery> _queries;
    private readonly SeriesBuilder[] _builders;
    private readonly Dictionary<long, (SeriesKind Kind, SeriesSum?[] Sums)> _keys = [];
    private int _rows;

    private SeriesScan(IReadOnlyList<SeriesQuery> queries)
    {
        _queries = queries;
        var points = new SeriesPoints();
        _builders = [.. queries.Select(query => new SeriesBuilder(query, points))];
    }

    /// <summary>Reads the answers from PostgreSQL.</summary>
    /// <param name="queries">Over the same time and from the same table; one at least.</param>
    /// <param name="database">Open, and for this alone.</param>
    /// <param name="cancellationToken">Ends it between two rows.</param>
    /// <exception cref="TooWideException">It would read too much.</exception>
    /// <exception cref="DbException">The database cannot be read, or the query was ended in it.</exception>
    public static IReadOnlyList<SeriesResult> Run(IReadOnlyList<SeriesQuery> queries, DbConnection database, CancellationToken cancellationToken) =>
        Run(queries, span => [new JoinedRows(database, queries, span, cancellationToken)], cancellationToken);

    /// <summary>Reads them from SQLite; for the rest as above.</summary>
    public static IReadOnlyList<SeriesResult> Run(IReadOnlyList<SeriesQuery> queries, SqliteConnection database, CancellationToken cancellationToken)
    {
        // What is seen is of one moment: a table of an earlier version may be let go of in the next.
        using var moment = database.BeginTransaction(deferred: true);
        var earlier = RollupDatabase.EarlierTables(database);
        return Run(queries, Rows, cancellationToken);

        IEnumerable<SeriesRows> Rows((RollupWidth Width, long From, long To) span)
        {
            yield return new CellRows(database, queries, span);
            if (earlier.Contains(span.Width))
            {
                yield return new JoinedRows(database, queries, span, cancellationToken);
            }
        }
    }

    /// <summary>Where the sums begin; null while there are none.</summary>
    /// <exception cref="DbException">They cannot be read.</exception>
    public static DateTimeOffset? Begin(DbConnection database) => Begin(database, [RollupWidth.Minute.Table], [RollupWidth.Hour.Table]);

    /// <summary>As above, of SQLite.</summary>
    public static DateTimeOffset? Begin(SqliteConnection database)
    {
        using var moment = database.BeginTransaction(deferred: true);
        var earlier = RollupDatabase.EarlierTables(database);
        return Begin(database, Names(RollupWidth.Minute), Names(RollupWidth.Hour));

        string[] Names(RollupWidth width) => earlier.Contains(width) ? [width.Cells, width.Table] : [width.Cells];
    }

    private static DateTimeOffset? Begin(DbConnection database, string[] minuteTables, string[] hourTables)
    {
        // Minutes are forgotten long before hours; until then they know it better.
        var (minutes, hours) = (First(database, minuteTables), First(database, hourTables));
        return hours is { } hour ? new DateTimeOffset(minutes is { } minute && minute - hour < TimeSpan.TicksPerHour ? minute : hour, TimeSpan.Zero) : null;
    }

    private static long? First(DbConnection database, string[] tables)
    {
        long? first = null;
        foreach (var table in tables)
        {
            using var command = database.CreateCommand();
#pragma warning disable CA2100 // Names of this program's tables.
            command.CommandText = $"SELECT MIN(begin) FROM {table}";
#pragma warning restore CA2100
            first = command.ExecuteScalar() is long begin && !(begin > first) ? begin : first;
        }

        return first;
    }

    private static IReadOnlyList<SeriesResult> Run(IReadOnlyList<SeriesQuery> queries, Func<(RollupWidth Width, long From, long To), IEnumerable<SeriesRows>> rows, CancellationToken cancellationToken)
    {
        if (queries.Any(query => query.From != queries[0].From || query.To != queries[0].To || query.IsHourly != queries[0].IsHourly))
        {
            throw new ArgumentException("Queries that are answered together are about one time.", nameof(queries));
        }

        if (queries.Any(query => query.Tenants is null != queries[0].Tenants is null || query.Tenants?.SequenceEqual(queries[0].Tenants!) == false))
        {
            throw new ArgumentException("Queries that are answered together are one caller's.", nameof(queries));
        }

        // The widest spans that every point is a whole number of.
        var time = queries[0];
        var step = queries.Where(query => query.HasPoints).Aggregate(0L, (one, other) => Divisor(one, other.Step.Ticks));
        var scan = new SeriesScan(queries);
        foreach (var span in RollupWidth.Of(time.From.UtcTicks, time.To.UtcTicks, step == 0 ? RollupWidth.QuarterDay.Ticks : step, time.IsHourly).Where(span => span.From < span.To))
        {
            foreach (var some in rows(span))
            {
                using (some)
                {
                    scan.Read(some, cancellationToken);
                }
            }
        }

        return [.. scan._builders.Select(builder => builder.Build())];
    }

    private static long Divisor(long one, long other) => other == 0 ? one : Divisor(other, one % other);

    private void Read(SeriesRows rows, CancellationToken cancellationToken)
    {
        while (rows.Read())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (++_rows > MaxRows)
            {
                throw new TooWideException("This reads more than a query may: shorten the time, make step an hour, or filter by an API.");
            }

            var (kind, groups) = KeyOf(rows);
            for (var i = 0; i < groups.Length; i++)
            {
                if (groups[i] is { } group)
                {
                    rows.AddTo(_builders[i].PointOf(group, rows.Begin), kind);
                }
            }
        }
    }

    // What rows of one key have in common is read once, whatever the number of its minutes.
    private (SeriesKind Kind, SeriesSum?[] Sums) KeyOf(SeriesRows rows)
    {
        if (_keys.TryGetValue(rows.Key, out var known))
        {
            return known;
        }

        var names = rows.Names();
        var sums = new SeriesSum?[_queries.Count];
        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] = names is not null && _queries[i].Fits(names) ? _builders[i].SumOf([.. _queries[i].GroupBy.Select(dimension => names[SeriesQuery.Dimensions.IndexOf(dimension)])]) : null;
        }

        return _keys[rows.Key] = (names is null ? default : SeriesKind.Of(names), sums);
    }
}
