using System.Data.Common;
using System.Globalization;

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

    // More than a page has fields for.
    private const int MaxFilters = 50;

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

    /// <summary>
    /// The sums of as much time just before; of hours where minutes are not kept that long. It ends where the first minute or hour begins that this one reads: what is in both would be compared
    /// with itself. Null when there is no such time.
    /// </summary>
    public SeriesQuery? Before(DateTimeOffset now)
    {
        var length = To - From;
        if (length.Ticks > From.UtcTicks - TimeSpan.TicksPerDay)
        {
            return null;
        }

        var isKept = IsHourly || ReadFrom - length >= now - StoreSettings.MinutesAge;
        var before = this with { Step = isKept ? Step : TimeSpan.FromHours(1), HasPoints = false };
        return before with { From = before.ReadFrom - length, To = before.ReadFrom };
    }

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

        if (Filters.Count > MaxFilters)
        {
            return string.Create(CultureInfo.InvariantCulture, $"there are {Filters.Count} filters; the most is {MaxFilters}");
        }

        if (Filters.FirstOrDefault(filter => filter.Value.Contains('\0', StringComparison.Ordinal)) is { Dimension: { } odd })
        {
            return $"'{(odd.Length > 40 ? odd[..40] : odd)}' has a character that no exchange has";
        }

        if (GroupBy.Distinct().Count() != GroupBy.Count)
        {
            return "group_by names something twice";
        }

        if (Filters.FirstOrDefault(filter => filter.Dimension == "status" && Statuses(filter.Value) is null) is { Value: { } strange })
        {
            return $"'status' must be a status such as 503, a class such as 5xx, or 0, and not '{(strange.Length > 20 ? strange[..20] : strange)}'";
        }

        if (Top is < 1 or > MaxGroups)
        {
            return string.Create(CultureInfo.InvariantCulture, $"top is 1 to {MaxGroups}");
        }

        return GroupBy.Concat(Filters.Select(filter => filter.Dimension)).FirstOrDefault(dimension => !Dimensions.Contains(dimension)) is { } unknown
            ? $"'{(unknown.Length > 40 ? unknown[..40] : unknown)}' is nothing that exchanges can be told apart by; there are {string.Join(", ", Dimensions)}"
            : null;
    }

    /// <summary>Whether what exchanges have in common is asked for.</summary>
    /// <param name="values">In the order of <see cref="Dimensions"/>.</param>
    public bool Fits(IReadOnlyList<string> values) => Filters.GroupBy(filter => filter.Dimension).All(dimension => dimension.Any(filter => Fits(values, filter.Dimension, filter.Value)));

    /// <summary>The filters that all of some queries have, as SQL.</summary>
    public static string Where(IReadOnlyList<SeriesQuery> queries, DbCommand command)
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
            sql.Append(" AND (1 = 0").Append(string.Concat(tenants.Select(tenant => " OR " + Condition(command, "tenant", tenant)))).Append(')');
        }

        return sql.ToString();
    }

    private static bool Same(SeriesQuery one, SeriesQuery other, string dimension) => one.Values(dimension).SetEquals(other.Values(dimension));

    private HashSet<string> Values(string dimension) => [.. Filters.Where(filter => filter.Dimension == dimension).Select(filter => filter.Value)];

    private static bool Fits(IReadOnlyList<string> values, string dimension, string wanted)
    {
        var value = values[Dimensions.IndexOf(dimension)];
        return dimension == "status" && Statuses(wanted) is var (from, to) ? int.Parse(value, CultureInfo.InvariantCulture) is var status && status >= from && status <= to : value == wanted;
    }

    /// <summary>The statuses that a filter means, both inclusive; null when it is none.</summary>
    private static (int From, int To)? Statuses(string value) => value switch
    {
        [>= '1' and <= '9', 'x', 'x'] => ((value[0] - '0') * 100, ((value[0] - '0') * 100) + 99),
        { Length: <= 3 } when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var status) => (status, status),
        _ => null,
    };

    private static string Condition(DbCommand command, string dimension, string value) =>
        dimension == "status" && Statuses(value) is var (from, to)
            ? $"k.status BETWEEN {Parameter(command, from)} AND {Parameter(command, to)}"
            : $"k.{dimension} = {Parameter(command, value)}";

    /// <summary>A value's place in SQL.</summary>
    public static string Parameter(DbCommand command, object value)
    {
        var parameter = command.CreateParameter();
        parameter.ParameterName = "@p" + command.Parameters.Count.ToString(CultureInfo.InvariantCulture);
        parameter.Value = value;
        command.Parameters.Add(parameter);
        return parameter.ParameterName;
    }
}

/// <summary>A query that would read more than it may; its message says what to narrow.</summary>
internal sealed class TooWideException(string message) : Exception(message);
