using System.Globalization;
using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Queries;

/// <summary>A question to the sums: of which exchanges, over which time, in which steps, and told apart by what.</summary>
internal sealed record SeriesQuery
{
    /// <summary>What exchanges can be grouped and filtered by; as columns of the database.</summary>
    public static readonly IReadOnlyList<string> Dimensions = ["direction", "api", "endpoint", "method", "status", "outcome", "reason", "code", "consumer", "tenant", "environment", "destination", "region", "cache"];

    /// <summary>More groups than a page can show: the largest stay.</summary>
    public const int MaxGroups = 200;

    // More points than a chart has pixels to spare for.
    private const int MaxPoints = 1_000;

    // A query that would read more should be narrowed; it takes about two seconds.
    private const int MaxRows = 1_500_000;

    private static readonly TimeSpan[] Steps = [TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15), TimeSpan.FromHours(1), TimeSpan.FromHours(6), TimeSpan.FromDays(1)];

    public required DateTimeOffset From { get; init; }

    /// <summary>Exclusive.</summary>
    public required DateTimeOffset To { get; init; }

    /// <summary>The width of a point: a minute, or a multiple of it; from an hour up whole hours.</summary>
    public required TimeSpan Step { get; init; }

    /// <summary>Of <see cref="Dimensions"/>; none: everything is one group.</summary>
    public IReadOnlyList<string> GroupBy { get; init; } = [];

    /// <summary>Dimension and value; several of one dimension are alternatives. A status can be a class, as 5xx.</summary>
    public IReadOnlyList<(string Dimension, string Value)> Filters { get; init; } = [];

    /// <summary>Only these tenants', whatever else is asked; null: everybody's.</summary>
    public IReadOnlyList<string>? Tenants { get; init; }

    /// <summary>Groups that are told apart; the others are left out.</summary>
    public int Top { get; init; } = 50;

    /// <summary>The step that shows a span in some 60 to 200 points, minutes where they are still kept.</summary>
    public static TimeSpan StepFor(TimeSpan span) => Steps.FirstOrDefault(step => span / step <= 200, Steps[^1]);

    /// <summary>What is wrong with it, and what to do; null when nothing is.</summary>
    public string? Problem()
    {
        if (From >= To)
        {
            return "from must be before to";
        }

        if (Step < TimeSpan.FromMinutes(1) || Step.Ticks % TimeSpan.TicksPerMinute != 0 || (Step > TimeSpan.FromHours(1) && Step.Ticks % TimeSpan.TicksPerHour != 0))
        {
            return "step is a whole number of minutes, and of hours from one hour up";
        }

        if ((To - From) / Step > MaxPoints)
        {
            return string.Create(CultureInfo.InvariantCulture, $"that would be {(To - From) / Step:0} points; the most is {MaxPoints}: make step larger or the time shorter");
        }

        if (Top is < 1 or > MaxGroups)
        {
            return string.Create(CultureInfo.InvariantCulture, $"top is 1 to {MaxGroups}");
        }

        return GroupBy.Concat(Filters.Select(filter => filter.Dimension)).FirstOrDefault(dimension => !Dimensions.Contains(dimension)) is { } unknown
            ? $"'{unknown}' is nothing that exchanges can be told apart by; there are {string.Join(", ", Dimensions)}"
            : null;
    }

    /// <summary>Reads the answer.</summary>
    /// <param name="connection">The database's connection string.</param>
    /// <param name="cancellationToken">Ends it between two rows.</param>
    /// <exception cref="TooWideException">It would read too much.</exception>
    /// <exception cref="SqliteException">The database cannot be read.</exception>
    public SeriesResult Run(string connection, CancellationToken cancellationToken)
    {
        var isHourly = Step.Ticks % TimeSpan.TicksPerHour == 0;
        var width = isHourly ? TimeSpan.TicksPerHour : TimeSpan.TicksPerMinute;
        using var database = new SqliteConnection(connection + ";Mode=ReadOnly");
        database.Open();
        using var command = database.CreateCommand();
        var groups = GroupBy.Count == 0 ? "''" : string.Join(" || char(31) || ", GroupBy.Select(dimension => "k." + dimension));
#pragma warning disable CA2100 // Names of columns from the list above; whatever comes from outside is a parameter.
        command.CommandText = $"""
            SELECT c.begin, {groups}, c.count, c.attempts, c.retries, c.request_bytes, c.response_bytes, c.queue_ticks, c.policy_ticks, c.connect_ticks, c.first_byte_ticks, c.total_ticks, c.longest_ticks,
              c.sketches, k.status, k.outcome, k.cache
            FROM {(isHourly ? "hours" : "minutes")} c JOIN keys k ON k.id = c.key WHERE c.begin >= $from AND c.begin < $to{Where(command)} LIMIT {MaxRows + 1}
            """;
#pragma warning restore CA2100
        command.Parameters.AddWithValue("$from", From.UtcTicks - (From.UtcTicks % width));
        command.Parameters.AddWithValue("$to", To.UtcTicks);
        var result = new SeriesBuilder(this);
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

            for (var i = 0; i < sums.Length; i++)
            {
                sums[i] = row.GetInt64(2 + i);
            }

            var cell = new RollupCell();
            cell.AddSaved(sums, row.GetFieldValue<byte[]>(13), texts);
            result.Add(row.GetInt64(0), row.GetString(1), cell, row.GetInt32(14), row.GetString(15), row.GetString(16));
        }

        return result.Build();
    }

    private string Where(SqliteCommand command)
    {
        var sql = new System.Text.StringBuilder();
        foreach (var dimension in Filters.GroupBy(filter => filter.Dimension))
        {
            var alternatives = dimension.Select(filter => Condition(command, dimension.Key, filter.Value)).ToList();
            sql.Append(" AND (").AppendJoin(" OR ", alternatives).Append(')');
        }

        if (Tenants is not null)
        {
            // Without any it is false: nothing is shown.
            sql.Append(" AND (0").Append(string.Concat(Tenants.Select(tenant => " OR " + Condition(command, "tenant", tenant)))).Append(')');
        }

        return sql.ToString();
    }

    private static string Condition(SqliteCommand command, string dimension, string value)
    {
        string Parameter(object given)
        {
            var name = "$p" + command.Parameters.Count.ToString(CultureInfo.InvariantCulture);
            command.Parameters.AddWithValue(name, given);
            return name;
        }

        if (dimension == "status" && value.Length == 3 && char.IsAsciiDigit(value[0]) && value.EndsWith("xx", StringComparison.Ordinal))
        {
            var begin = (value[0] - '0') * 100;
            return $"k.status BETWEEN {Parameter(begin)} AND {Parameter(begin + 99)}";
        }

        return dimension == "status" && int.TryParse(value, CultureInfo.InvariantCulture, out var status) ? $"k.status = {Parameter(status)}" : $"k.{dimension} = {Parameter(value)}";
    }
}

/// <summary>A query that would read more than it may; its message says what to narrow.</summary>
internal sealed class TooWideException(string message) : Exception(message);
