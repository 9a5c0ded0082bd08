using System.Buffers.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies;

/// <summary>
/// How long an answer asks its caller to stay away: <c>Retry-After</c> as seconds or date (RFC 9110 10.2.3), and the finer <c>retry-after-ms</c> and
/// <c>x-ms-retry-after-ms</c> that some providers send beside it. Never earlier than any of them says. Allocates nothing.
/// </summary>
internal static class RetryAfter
{
    /// <summary>The longest wait that is believed: quotas end with their day at the latest, and whoever still asks for more then says so again.</summary>
    public static readonly TimeSpan MaxWait = TimeSpan.FromDays(1);

    /// <summary>From here on a value is nonsense, or meant to do harm: it says nothing at all. Billing periods are shorter.</summary>
    public static readonly TimeSpan Absurd = TimeSpan.FromDays(32);

    /// <summary>Reads it.</summary>
    /// <param name="fields">Of the answer.</param>
    /// <param name="now">The time here. A date is compared with the answer's own <c>Date</c> where there is one, so that clocks may differ.</param>
    /// <param name="wait">From now; not below zero, at most <see cref="MaxWait"/>.</param>
    /// <returns>False when nothing usable is said, or a cache says it (<c>Age</c> above zero): that was meant for another time.</returns>
    public static bool TryRead(HeaderList fields, DateTimeOffset now, out TimeSpan wait) => TryRead(fields, now, out wait, out _);

    /// <summary>As above.</summary>
    /// <param name="fields">Of the answer.</param>
    /// <param name="now">The time here.</param>
    /// <param name="wait">From now.</param>
    /// <param name="ignored">Values that said nothing usable, or more than is believed.</param>
    public static bool TryRead(HeaderList fields, DateTimeOffset now, out TimeSpan wait, out int ignored)
    {
        wait = default;
        ignored = 0;
        if (IsStored(fields))
        {
            return false;
        }

        var found = false;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            var unit = field.Known == KnownHeader.RetryAfter ? TimeSpan.TicksPerSecond
                : field.Known == KnownHeader.None && IsMilliseconds(field.Name) ? TimeSpan.TicksPerMillisecond
                : 0;
            if (unit == 0)
            {
                continue;
            }

            if (!TryDelta(field.Value, unit, out var one) && !(unit == TimeSpan.TicksPerSecond && TryDate(field.Value, fields, now, out one)) || one > Absurd)
            {
                ignored++;
                continue;
            }

            ignored += one > MaxWait ? 1 : 0;
            one = one > MaxWait ? MaxWait : one;
            wait = one > wait ? one : wait;
            found = true;
        }

        return found;
    }

    /// <summary>Whether a cache answered: what it says of limits and waits is as old as the answer.</summary>
    public static bool IsStored(HeaderList fields) => fields.TryGet(KnownHeader.Age, out var age) && Utf8Parser.TryParse(age, out ulong seconds, out var read) && read == age.Length && seconds > 0;

    private static bool IsMilliseconds(ReadOnlySpan<byte> name) =>
        System.Text.Ascii.EqualsIgnoreCase(name, "retry-after-ms"u8) || System.Text.Ascii.EqualsIgnoreCase(name, "x-ms-retry-after-ms"u8);

    /// <summary>Seconds or milliseconds; a fraction, which some providers send, is rounded up.</summary>
    private static bool TryDelta(ReadOnlySpan<byte> value, long unitTicks, out TimeSpan wait)
    {
        wait = default;
        if (value.IsEmpty || value.ContainsAnyExcept("0123456789."u8) || !Utf8Parser.TryParse(value, out decimal units, out var read) || read != value.Length)
        {
            return false;
        }

        // Beyond what is absurd all values are alike, and multiply without overflow.
        wait = TimeSpan.FromTicks((long)decimal.Ceiling(decimal.Min(units, 1_000_000_000_000) * unitTicks / TimeSpan.TicksPerMillisecond) * TimeSpan.TicksPerMillisecond);
        return true;
    }

    private static bool TryDate(ReadOnlySpan<byte> value, HeaderList fields, DateTimeOffset now, out TimeSpan wait)
    {
        wait = default;
        if (!HttpDate.TryParse(value, now, out DateTimeOffset until))
        {
            return false;
        }

        var from = fields.TryGet(KnownHeader.Date, out var sent) && HttpDate.TryParse(sent, now, out DateTimeOffset date) ? date : now;
        wait = until > from ? until - from : TimeSpan.Zero;
        return true;
    }
}
