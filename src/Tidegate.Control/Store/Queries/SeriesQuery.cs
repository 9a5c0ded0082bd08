using System.Globalization;

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

        if (Filters.Count > MaxFilters)
        {
            return string.Create(CultureInfo.InvariantCulture, $"there are {Filters.Count} filters; the most is {MaxFilters}");
        }

        if (Filters.FirstOrDefault(filter => filter.Value.Contains('\0', StringComparison.Ordinal)) is { Dimension: { } odd })
        {
            return $"'{odd}' has a character that no exchange has";
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

    /// <summary>The statuses that a filter means, both inclusive; null when it is none.</summary>
    public static (int From, int To)? Statuses(string value) => value switch
    {
        [>= '1' and <= '9', 'x', 'x'] => ((value[0] - '0') * 100, ((value[0] - '0') * 100) + 99),
        { Length: <= 3 } when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var status) => (status, status),
        _ => null,
    };
}

/// <summary>A query that would read more than it may; its message says what to narrow.</summary>
internal sealed class TooWideException(string message) : Exception(message);
