using System.Buffers.Text;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>
/// When a window ends, in all the ways in which providers write it: seconds or milliseconds from now, either since 1970, <c>1m30s</c>, an HTTP date, or RFC 3339.
/// Nobody says which, but the ways do not overlap: a reset is never further away than <see cref="RetryAfter.Absurd"/>, and 1970 is never that near.
/// </summary>
internal static class SignalTime
{
    // A second count this high, taken as "from now", is 31 years; taken as "since 1970" it is 2001. The same holds for milliseconds a thousand times higher.
    private const long FirstEpochSecond = 1_000_000_000;
    private const long FirstEpochMillisecond = 1_000_000_000_000;
    private const long FirstEpochMicrosecond = 1_000_000_000_000_000;
    private const long MaxUnits = 1_000_000_000_000;
    private const long Most = long.MaxValue / 4;

    /// <summary>Reads it.</summary>
    /// <param name="text">The value.</param>
    /// <param name="form">What the provider is known to mean by a small number.</param>
    /// <param name="serverNow">The time by the provider's clock.</param>
    /// <param name="ticks">Of <see cref="TimeSpan"/>, from now, rounded up to a millisecond; not below zero, at most <see cref="RetryAfter.MaxWait"/>.</param>
    /// <param name="capped">The value asked for more than is believed.</param>
    public static bool TryRead(ReadOnlySpan<byte> text, ResetForm form, DateTimeOffset serverNow, out long ticks, out bool capped)
    {
        capped = false;
        if (!TryTicks(text, form, serverNow, out ticks))
        {
            return false;
        }

        if (ticks > RetryAfter.Absurd.Ticks)
        {
            ticks = 0;
            return false;
        }

        capped = ticks > RetryAfter.MaxWait.Ticks;
        ticks = Math.Clamp(ticks, 0, RetryAfter.MaxWait.Ticks);
        return true;
    }

    private static bool TryTicks(ReadOnlySpan<byte> text, ResetForm form, DateTimeOffset serverNow, out long ticks)
    {
        ticks = 0;
        if (text.IsEmpty || text.Length > 64)
        {
            return false;
        }

        if (!text.ContainsAnyExcept("0123456789."u8))
        {
            return TryNumber(text, form, serverNow, out ticks);
        }

        if (TryRfc3339(text, out var date) || HttpDate.TryParse(text, serverNow, out date))
        {
            ticks = (date - serverNow).Ticks;
            return true;
        }

        return TryDuration(text, out ticks);
    }

    private static bool TryNumber(ReadOnlySpan<byte> text, ResetForm form, DateTimeOffset serverNow, out long ticks)
    {
        ticks = 0;
        var isWhole = WholeNumber.TryRead(text, out var whole);
        decimal number = whole;
        if ((!isWhole && (!Utf8Parser.TryParse(text, out number, out var read) || read != text.Length)) || number > FirstEpochMicrosecond)
        {
            return false;
        }

        // A fraction more or less makes no other unit of it.
        whole = isWhole ? whole : (long)number;
        var unit = whole >= FirstEpochMillisecond || (form == ResetForm.Milliseconds && whole < FirstEpochSecond) ? TimeSpan.TicksPerMillisecond : TimeSpan.TicksPerSecond;
        ticks = isWhole ? WholeNumber.Times(whole, unit, Most)
            : (long)decimal.Min(decimal.Ceiling(number * unit / TimeSpan.TicksPerMillisecond) * TimeSpan.TicksPerMillisecond, Most);
        if (whole >= FirstEpochSecond)
        {
            ticks -= (serverNow - DateTimeOffset.UnixEpoch).Ticks;
        }

        return true;
    }

    /// <summary><c>2026-03-01T12:00:30Z</c>, with or without a fraction, and with an offset.</summary>
    private static bool TryRfc3339(ReadOnlySpan<byte> text, out DateTimeOffset date)
    {
        date = default;
        if (text.Length < 20 || text[4] != '-' || text[7] != '-' || (text[10] | 0x20) is not ('t' or ' ') || !TryDateTime(text[..19], out var local))
        {
            return false;
        }

        var rest = text[19..];
        var fraction = 0L;
        if (rest[0] == '.')
        {
            var digits = 1;
            var scale = TimeSpan.TicksPerSecond / 10;
            while (digits < rest.Length && rest[digits] is >= (byte)'0' and <= (byte)'9')
            {
                fraction += (rest[digits] - '0') * scale;
                scale /= 10;
                digits++;
            }

            rest = rest[digits..];
        }

        var offset = TimeSpan.Zero;
        if (rest.Length == 6 && rest[0] is (byte)'+' or (byte)'-' && rest[3] == ':' && Two(rest[1..]) is >= 0 and <= 14 and var hours && Two(rest[4..]) is >= 0 and <= 59 and var minutes)
        {
            offset = new TimeSpan(hours, minutes, 0) * (rest[0] == '-' ? -1 : 1);
        }
        else if (rest.Length != 1 || (rest[0] | 0x20) != 'z')
        {
            return false;
        }

        var ticks = local.Ticks + fraction - offset.Ticks;
        if (ticks < 0 || ticks > DateTimeOffset.MaxValue.Ticks)
        {
            return false;
        }

        date = new DateTimeOffset(ticks, TimeSpan.Zero);
        return true;
    }

    private static bool TryDateTime(ReadOnlySpan<byte> text, out DateTime date)
    {
        date = default;
        var year = (Two(text) * 100) + Two(text[2..]);
        var (month, day, hour, minute, second) = (Two(text[5..]), Two(text[8..]), Two(text[11..]), Two(text[14..]), Two(text[17..]));
        if (Two(text) < 0 || Two(text[2..]) < 0 || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour is < 0 or > 23 || minute is < 0 or > 59 || second is < 0 or > 59
            || text[13] != ':' || text[16] != ':')
        {
            return false;
        }

        date = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc);
        return true;
    }

    /// <summary>Two digits; -1 when they are none.</summary>
    private static int Two(ReadOnlySpan<byte> text) =>
        text[0] is >= (byte)'0' and <= (byte)'9' && text[1] is >= (byte)'0' and <= (byte)'9' ? ((text[0] - '0') * 10) + text[1] - '0' : -1;

    /// <summary><c>6m0s</c>, <c>1h2m3.5s</c>, <c>120ms</c>, <c>2d</c>.</summary>
    private static bool TryDuration(ReadOnlySpan<byte> text, out long ticks)
    {
        ticks = 0;
        while (!text.IsEmpty)
        {
            var digits = text.IndexOfAnyExcept("0123456789."u8);
            var number = 0m;
            if (digits < 1 || (!WholeNumber.TryRead(text[..digits], out var whole) && (!Utf8Parser.TryParse(text[..digits], out number, out var read) || read != digits)))
            {
                return false;
            }

            text = text[digits..];
            var (unit, length) = text switch
            {
                [(byte)'m', (byte)'s', ..] => (TimeSpan.TicksPerMillisecond, 2),
                [(byte)'d', ..] => (TimeSpan.TicksPerDay, 1),
                [(byte)'h', ..] => (TimeSpan.TicksPerHour, 1),
                [(byte)'m', ..] => (TimeSpan.TicksPerMinute, 1),
                [(byte)'s', ..] => (TimeSpan.TicksPerSecond, 1),
                _ => (0, 0),
            };
            if (length == 0)
            {
                return false;
            }

            // Beyond what is absurd all values are alike, and add up without overflow.
            var most = RetryAfter.Absurd.Ticks * 2;
            ticks = Math.Min(most, ticks + (number == 0 ? WholeNumber.Times(whole, unit, most) : (long)decimal.Ceiling(decimal.Min(decimal.Min(number, MaxUnits) * unit, most))));
            text = text[length..];
        }

        ticks = (((ticks - 1) / TimeSpan.TicksPerMillisecond) + 1) * TimeSpan.TicksPerMillisecond;
        return true;
    }
}

/// <summary>What a provider means by a small number in its reset field. Large ones are since 1970 whatever is written here.</summary>
internal enum ResetForm : byte
{
    Seconds,
    Milliseconds,
}
