using System.Data.Common;
using System.Globalization;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Queries;

/// <summary>Answers several queries about the same time, which differ in what they group and filter by, with one reading of the rows. Not thread-safe.</summary>
internal sealed class SeriesScan
{
    // A scan that would read more should be narrowed; it takes about two seconds.
    private const int MaxRows = 1_500_000;

    private const int FirstSum = 2;
    private const int FirstText = FirstSum + RollupCell.SumCount + 1;

    private readonly IReadOnlyList<SeriesQuery> _queries;
    private readonly SeriesBuilder[] _builders;
    private readonly TextPool _texts = new();
    private int _rows;
    private readonly Dictionary<long, (SeriesKind Kind, SeriesSum?[] Sums)> _keys = [];

    private SeriesScan(IReadOnlyList<SeriesQuery> queries)
    {
        _queries = queries;
        _builders = [.. queries.Select(query => new SeriesBuilder(query))];
    }

    /// <summary>Reads the answers.</summary>
    /// <param name="queries">Over the same time and from the same table; one at least.</param>
    /// <param name="database">Open, and for this alone.</param>
    /// <param name="cancellationToken">Ends it between two rows.</param>
    /// <exception cref="TooWideException">It would read too much.</exception>
    /// <exception cref="DbException">The database cannot be read, or the query was ended in it.</exception>
    public static IReadOnlyList<SeriesResult> Run(IReadOnlyList<SeriesQuery> queries, DbConnection database, CancellationToken cancellationToken)
    {
        if (queries.Any(query => query.From != queries[0].From || query.To != queries[0].To || query.IsHourly != queries[0].IsHourly))
        {
            throw new ArgumentException("Queries that are answered together are about one time.", nameof(queries));
        }

        if (queries.Any(query => query.Tenants is null != queries[0].Tenants is null || query.Tenants?.SequenceEqual(queries[0].Tenants!) == false))
        {
            throw new ArgumentException("Queries that are answered together are one caller's.", nameof(queries));
        }

        var scan = new SeriesScan(queries);
        scan.Read(database, cancellationToken);
        return [.. scan._builders.Select(builder => builder.Build())];
    }

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

    private void Read(DbConnection database, CancellationToken cancellationToken)
    {
        // The widest spans that every point is a whole number of.
        var time = _queries[0];
        var step = _queries.Where(query => query.HasPoints).Aggregate(0L, (one, other) => Divisor(one, other.Step.Ticks));
        foreach (var span in RollupWidth.Of(time.From.UtcTicks, time.To.UtcTicks, step == 0 ? RollupWidth.QuarterDay.Ticks : step, time.IsHourly))
        {
            Read(database, span, cancellationToken);
        }
    }

    private static long Divisor(long one, long other) => other == 0 ? one : Divisor(other, one % other);

    private void Read(DbConnection database, (RollupWidth Width, long From, long To) span, CancellationToken cancellationToken)
    {
        if (span.From >= span.To)
        {
            return;
        }

        using var command = database.CreateCommand();
#pragma warning disable CA2100 // Names of columns of this program; whatever comes from outside is a parameter.
        command.CommandText = $"""
            SELECT c.begin, c.key, c.count, c.attempts, c.retries, c.request_bytes, c.response_bytes, c.queue_ticks, c.policy_ticks, c.connect_ticks, c.first_byte_ticks, c.total_ticks, c.longest_ticks,
              c.sketches, {string.Join(", ", SeriesQuery.Dimensions.Select(dimension => "k." + dimension))}
            FROM {span.Width.Table} c JOIN keys k ON k.id = c.key
            WHERE c.begin >= {SeriesQuery.Parameter(command, span.From)} AND c.begin < {SeriesQuery.Parameter(command, span.To)}{SeriesQuery.Where(_queries, command)} LIMIT {MaxRows + 1}
            """;
#pragma warning restore CA2100
        Span<long> sums = stackalloc long[RollupCell.SumCount];
        using var ended = cancellationToken.UnsafeRegister(static command => ((DbCommand)command!).Cancel(), command);
        using var row = command.ExecuteReader();
        while (row.Read())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (++_rows > MaxRows)
            {
                throw new TooWideException("This reads more than a query may: shorten the time, make step an hour, or filter by an API.");
            }

            var (kind, groups) = KeyOf(row);
            if (Array.TrueForAll(groups, static group => group is null))
            {
                continue;
            }

            for (var i = 0; i < sums.Length; i++)
            {
                sums[i] = row.GetInt64(FirstSum + i);
            }

            var cell = new RollupCell();
            cell.AddSaved(sums, row.GetFieldValue<byte[]>(FirstSum + RollupCell.SumCount), _texts);
            for (var i = 0; i < groups.Length; i++)
            {
                if (groups[i] is { } group)
                {
                    _builders[i].Add(group, row.GetInt64(0), cell, kind);
                }
            }
        }
    }

    // What rows of one key have in common is read once, whatever the number of its minutes.
    private (SeriesKind Kind, SeriesSum?[] Sums) KeyOf(DbDataReader row)
    {
        var id = row.GetInt64(1);
        if (_keys.TryGetValue(id, out var known))
        {
            return known;
        }

        var values = new string[SeriesQuery.Dimensions.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Convert.ToString(row.GetValue(FirstText + i), CultureInfo.InvariantCulture) ?? "";
        }

        var sums = new SeriesSum?[_queries.Count];
        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] = _queries[i].Fits(values) ? _builders[i].SumOf([.. _queries[i].GroupBy.Select(dimension => values[SeriesQuery.Dimensions.IndexOf(dimension)])]) : null;
        }

        return _keys[id] = (SeriesKind.Of(values), sums);
    }
}
