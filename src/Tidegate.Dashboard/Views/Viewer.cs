using System.Globalization;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.Views;

/// <summary>Who looks: what they may see, and where their clock is. One for each open page.</summary>
public sealed class Viewer
{
    // Until its scripts are there.
    private static readonly TimeSpan FirstDrawingLasts = TimeSpan.FromSeconds(10);

    private TimeZoneInfo _zone = TimeZoneInfo.Utc;

    /// <summary>What they may. Nobody until that is known, so that what is drawn before shows nothing.</summary>
    internal AdminCaller Caller { get; set; } = AdminCaller.Nobody;

    /// <summary>Times are shown as UTC.</summary>
    public bool IsUtc { get; set; }

    /// <summary>When the page was drawn for the first time, before its connection; null: long ago.</summary>
    public DateTimeOffset? DrawnAt { get; set; }

    /// <summary>The time that the first reading is of: the second drawing of a page asks what the first one did, and finds it read.</summary>
    public DateTimeOffset TakeDrawnAt(DateTimeOffset now)
    {
        var drawn = DrawnAt is { } time && now - time < FirstDrawingLasts ? time : now;
        DrawnAt = null;
        return drawn;
    }

    /// <summary>The browser's zone.</summary>
    /// <param name="written">An IANA name and, for machines that know no names, the minutes that are to be added to UTC: <c>Europe/Berlin 120</c>.</param>
    public void SetZone(string? written)
    {
        if (written is null or { Length: > 80 })
        {
            return;
        }

        var parts = written.Split(' ');
        if (TimeZoneInfo.TryFindSystemTimeZoneById(parts[0], out var zone))
        {
            _zone = zone;
        }
        else if (parts.Length == 2 && int.TryParse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var minutes) && Math.Abs(minutes) <= 14 * 60)
        {
            _zone = TimeZoneInfo.CreateCustomTimeZone("browser", TimeSpan.FromMinutes(minutes), null, null);
        }
    }

    /// <summary>The time of a day: 14:03:07.</summary>
    public string Clock(DateTimeOffset time) => Local(time).ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>With milliseconds.</summary>
    public string Precise(DateTimeOffset time) => Local(time).ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);

    /// <summary>Day and time: 26 Nov 14:03.</summary>
    public string Moment(DateTimeOffset time) => Local(time).ToString("d MMM HH:mm", CultureInfo.InvariantCulture);

    /// <summary>What the times are.</summary>
    public string ZoneName(DateTimeOffset now)
    {
        var offset = IsUtc ? TimeSpan.Zero : _zone.GetUtcOffset(now);
        return offset == TimeSpan.Zero ? "UTC" : $"UTC{(offset < TimeSpan.Zero ? "−" : "+")}{offset:h\\:mm}";
    }

    private DateTimeOffset Local(DateTimeOffset time) => IsUtc ? time.ToUniversalTime() : TimeZoneInfo.ConvertTime(time, _zone);
}
