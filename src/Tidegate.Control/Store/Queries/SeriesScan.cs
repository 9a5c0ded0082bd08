using System.Globalization;
using Microsoft.Data.Sqlite;
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
    private readonly Dictionary<long, (SeriesKind Kind, SeriesSum?[] Sums)> _keys = [];

    private SeriesScan(IReadOnlyList<SeriesQuery> queries)
    {
        _queries = queries;
        _builders = [.. queries.Select(query => new SeriesBuilder(query))];
    }

    /// <summary>Reads the answers.</summary>
    /// <param name="queries">Over the same time and from the same table; one at least.</param>
    /// <param name="connection">The database's connection string.</param>
    /// <param name="cancellationToken">Ends it between two rows.</param>
    /// <exception cref="TooWideException">It would read too much.</exception>
    /// <exception cref="SqliteException">The database cannot be read.</exception>
    public static IReadOnlyList<SeriesResult> Run(IReadOnlyList<SeriesQuery> queries, string connection, CancellationToken cancellationToken)
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
        scan.Read(connection, cancellationToken);
        return [.. scan._builders.Select(builder => builder.Build())];
    }

    private void Read(string connection, CancellationToken cancellationToken)
    {
        var time = _queries[0];
        using var database = new SqliteConnection(connection + ";Mode=ReadOnly");
        database.Open();
        using var command = database.CreateCommand();
#pragma warning disable CA2100 // Names of columns of this program; whatever comes from outside is a parameter.
        command.CommandText = $"""
            SELECT c.begin, c.key, c.count, c.attempts, c.retries, c.request_bytes, c.response_bytes, c.queue_ticks, c.policy_ticks, c.connect_ticks, c.first_byte_ticks, c.total_ticks, c.longest_ticks,
              c.sketches, {string.Join(", ", SeriesQuery.Dimensions.Select(dimension => "k." + dimension))}
            FROM {(time.IsHourly ? "hours" : "minutes")} c JOIN keys k ON k.id = c.key WHERE c.begin >= $from AND c.begin < $to{SeriesQuery.Where(_queries, command)} LIMIT {MaxRows + 1}
            """;
#pragma warning restore CA2100
        command.Parameters.AddWithValue("$from", time.ReadFrom.UtcTicks);
        command.Parameters.AddWithValue("$to", time.To.UtcTicks);
        var texts = new TextPool();
        Span<long> sums = stackalloc long[RollupCell.SumCount];
        using var row = command.ExecuteReader();
        for (var rows = 1; row.Read(); rows++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (rows > MaxRows)
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
            cell.AddSaved(sums, row.GetFieldValue<byte[]>(FirstSum + RollupCell.SumCount), texts);
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
    private (SeriesKind Kind, SeriesSum?[] Sums) KeyOf(SqliteDataReader row)
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
