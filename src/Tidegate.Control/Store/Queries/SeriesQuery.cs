using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Tidegate.Control.Store.Queries;

/// <summary>A question to the sums: of which exchanges, over which time, in which steps, and told apart by what.</summary>
internal sealed record SeriesQuery
{
    /// <summary>What exchanges can be grouped and filtered by; as columns of the database.</summary>
    public static readonly List<string> Dimensions = ["direction", "api", "endpoint", "method", "status", "outcome", "reason", "code", "consumer", "tenant", "environment", "destination", "region", "cache"];

    /// <summary>More groups than a page can show: the largest stay.</summary>
    public const int MaxGroups = 200;

    // More points than a chart has pixels to spare for.
    private const int MaxPoints = 1_000;

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

    /// <summary>Groups that are told apart; the others are one sum.</summary>
    public int Top { get; init; } = 50;

    /// <summary>Whether each group has its points; else only its sum, which costs far less.</summary>
    public bool HasPoints { get; init; } = true;

    /// <summary>Reads sums of hours, which are kept much longer than those of minutes.</summary>
    public bool IsHourly => Step.Ticks % TimeSpan.TicksPerHour == 0;

    /// <summary>Where the first minute or hour begins that is read.</summary>
    public DateTimeOffset ReadFrom => From.AddTicks(-(From.UtcTicks % (IsHourly ? TimeSpan.TicksPerHour : TimeSpan.TicksPerMinute)));

    /// <summary>The step that shows a span in some 60 to 200 points; of minutes only where they are still kept.</summary>
    public static TimeSpan StepFor(DateTimeOffset from, DateTimeOffset to, DateTimeOffset now) =>
        Steps.FirstOrDefault(step => (to - from) / step <= 200 && (step >= TimeSpan.FromHours(1) || from >= now - StoreSettings.MinutesAge), Steps[^1]);

    /// <summary>What is wrong with it, and what to do; null when nothing is.</summary>
    public string? Problem(DateTimeOffset now)
    {
        if (From >= To)
        {
            return "from must be before to";
        }

        if (Step < TimeSpan.FromMinutes(1) || Step.Ticks % TimeSpan.TicksPerMinute != 0 || (Step > TimeSpan.FromHours(1) && Step.Ticks % TimeSpan.TicksPerHour != 0))
        {
            return "step is a whole number of minutes, and of hours from one hour up";
        }

        if (!IsHourly && From < now - StoreSettings.MinutesAge)
        {
            return string.Create(CultureInfo.InvariantCulture, $"minutes are kept for {StoreSettings.MinutesAge.TotalDays:0} days: for what is older, step is one hour or whole hours");
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

    /// <summary>Whether what exchanges have in common is asked for.</summary>
    /// <param name="values">In the order of <see cref="Dimensions"/>.</param>
    public bool Fits(IReadOnlyList<string> values) => Filters.GroupBy(filter => filter.Dimension).All(dimension => dimension.Any(filter => Fits(values, filter.Dimension, filter.Value)));

    /// <summary>The filters that all of some queries have, as SQL.</summary>
    public static string Where(IReadOnlyList<SeriesQuery> queries, SqliteCommand command)
    {
        var sql = new System.Text.StringBuilder();
        foreach (var dimension in queries[0].Filters.Where(filter => queries.All(query => Same(query, queries[0], filter.Dimension))).GroupBy(filter => filter.Dimension))
        {
            var alternatives = dimension.Select(filter => Condition(command, dimension.Key, filter.Value)).ToList();
            sql.Append(" AND (").AppendJoin(" OR ", alternatives).Append(')');
        }

        if (queries[0].Tenants is { } tenants)
        {
            // Without any it is false: nothing is shown.
            sql.Append(" AND (0").Append(string.Concat(tenants.Select(tenant => " OR " + Condition(command, "tenant", tenant)))).Append(')');
        }

        return sql.ToString();
    }

    private static bool Same(SeriesQuery one, SeriesQuery other, string dimension) => one.Values(dimension).SetEquals(other.Values(dimension));

    private HashSet<string> Values(string dimension) => [.. Filters.Where(filter => filter.Dimension == dimension).Select(filter => filter.Value)];

    private static bool Fits(IReadOnlyList<string> values, string dimension, string wanted)
    {
        var value = values[Dimensions.IndexOf(dimension)];
        return dimension == "status" && IsClass(wanted) ? value.Length == 3 && value[0] == wanted[0] : value == wanted;
    }

    private static bool IsClass(string status) => status.Length == 3 && char.IsAsciiDigit(status[0]) && status.EndsWith("xx", StringComparison.Ordinal);

    private static string Condition(SqliteCommand command, string dimension, string value)
    {
        string Parameter(object given)
        {
            var name = "$p" + command.Parameters.Count.ToString(CultureInfo.InvariantCulture);
            command.Parameters.AddWithValue(name, given);
            return name;
        }

        if (dimension == "status" && IsClass(value))
        {
            var begin = (value[0] - '0') * 100;
            return $"k.status BETWEEN {Parameter(begin)} AND {Parameter(begin + 99)}";
        }

        return dimension == "status" && int.TryParse(value, CultureInfo.InvariantCulture, out var status) ? $"k.status = {Parameter(status)}" : $"k.{dimension} = {Parameter(value)}";
    }
}

/// <summary>A query that would read more than it may; its message says what to narrow.</summary>
internal sealed class TooWideException(string message) : Exception(message);
