using System.Globalization;

namespace Tidegate.Dashboard.Views;

/// <summary>The time that a page shows: the last so long, or from one time to another.</summary>
/// <param name="Last">As in the URL, for example <c>1h</c>; null for a fixed time.</param>
/// <param name="Span">How long it is.</param>
/// <param name="FixedFrom">Where a fixed time begins.</param>
public sealed record TimeRange(string? Last, TimeSpan Span, DateTimeOffset FixedFrom)
{
    /// <summary>What one can choose.</summary>
    public static readonly IReadOnlyList<TimeRange> Choices =
    [
        new("15m", TimeSpan.FromMinutes(15), default),
        new("1h", TimeSpan.FromHours(1), default),
        new("6h", TimeSpan.FromHours(6), default),
        new("24h", TimeSpan.FromHours(24), default),
        new("7d", TimeSpan.FromDays(7), default),
        new("30d", TimeSpan.FromDays(30), default),
    ];

    /// <summary>When the URL names none.</summary>
    public static readonly TimeRange Default = Choices[1];

    // The sums of a minute are the finest that there is.
    private static readonly TimeSpan Shortest = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(400);

    /// <summary>Whether it goes on with the clock.</summary>
    public bool IsMoving => Last is not null;

    /// <summary>How often its sums are read again: as often as they can look different.</summary>
    public TimeSpan ReadEvery => !IsMoving ? TimeSpan.FromDays(1) : Span <= TimeSpan.FromHours(1) ? TimeSpan.FromSeconds(3) : Span <= TimeSpan.FromHours(24) ? TimeSpan.FromSeconds(20) : TimeSpan.FromMinutes(1);

    /// <summary>Reads the URL's parameters; what makes no sense is the default.</summary>
    public static TimeRange Parse(string? last, string? from, string? to)
    {
        if (TryTime(from, out var begin) && TryTime(to, out var end) && Problem(begin, end) is null)
        {
            return new TimeRange(null, end - begin, begin);
        }

        return Choices.FirstOrDefault(choice => choice.Last == last) ?? Default;
    }

    /// <summary>What is wrong with a fixed time, and what to do; null when nothing is.</summary>
    public static string? Problem(DateTimeOffset from, DateTimeOffset to) =>
        to <= from ? "The end must be after the beginning."
        : to - from < Shortest ? "Sums are of minutes: choose one at least."
        : to - from > Longest ? "Choose at most 400 days."
        : null;

    /// <summary>Where it begins.</summary>
    public DateTimeOffset From(DateTimeOffset now) => IsMoving ? now - Span : FixedFrom;

    /// <summary>Where it ends.</summary>
    public DateTimeOffset To(DateTimeOffset now) => IsMoving ? now : FixedFrom + Span;

    /// <summary>A time as it stands in a URL.</summary>
    public static string Write(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static bool TryTime(string? text, out DateTimeOffset time) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
}
