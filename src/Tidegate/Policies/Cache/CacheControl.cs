using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>What a message says about caching: <c>Cache-Control</c> (RFC 9111 5.2), or a targeted field in its place (RFC 9213).</summary>
/// <remarks>Where a directive stands twice, the more restrictive one holds; a freshness value that cannot be read counts as 0 (RFC 9111 4.2.1).</remarks>
internal struct CacheControl()
{
    /// <summary>A directive that is not there.</summary>
    public const int Absent = -1;

    /// <summary>Seconds beyond this say nothing more (RFC 9111 1.2.2).</summary>
    public const int MaxSeconds = int.MaxValue;

    public bool NoStore;
    public bool NoCache;
    public bool Private;
    public bool Public;
    public bool MustRevalidate;
    public bool ProxyRevalidate;
    public bool MustUnderstand;
    public bool OnlyIfCached;
    public bool Immutable;
    public int MaxAge = Absent;
    public int SharedMaxAge = Absent;
    public int MinFresh = Absent;
    public int MaxStale = Absent;
    public int StaleWhileRevalidate = Absent;
    public int StaleIfError = Absent;

    /// <summary>Fields that <c>no-cache="..."</c> and <c>private="..."</c> name: they are not stored, the rest is. Comma-separated, null when there are none.</summary>
    public string? UnstoredFields;

    /// <summary>Reads every <c>Cache-Control</c> line; a request's <c>Pragma: no-cache</c> counts where there is none (RFC 9111 5.4).</summary>
    public static CacheControl Read(HeaderList fields, bool isRequest)
    {
        var control = new CacheControl();
        var found = false;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (field.Known == KnownHeader.CacheControl)
            {
                found = true;
                control.Add(field.Value);
            }
        }

        if (isRequest && !found && fields.TryGet(KnownHeader.Pragma, out var pragma) && Ascii.EqualsIgnoreCase(pragma, "no-cache"u8))
        {
            control.NoCache = true;
        }

        return control;
    }

    /// <summary>One directive.</summary>
    /// <param name="name">In any case.</param>
    /// <param name="value">Without its quotes; empty when there is none.</param>
    /// <param name="hasValue">Whether there was an equals sign.</param>
    public void Set(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool hasValue)
    {
        switch (name.Length)
        {
            case 6 when Ascii.EqualsIgnoreCase(name, "public"u8):
                Public = true;
                break;
            case 7 when Ascii.EqualsIgnoreCase(name, "max-age"u8):
                Restrict(ref MaxAge, value);
                break;
            case 7 when Ascii.EqualsIgnoreCase(name, "private"u8):
                Qualified(ref Private, value, hasValue);
                break;
            case 8 when Ascii.EqualsIgnoreCase(name, "no-store"u8):
                NoStore = true;
                break;
            case 8 when Ascii.EqualsIgnoreCase(name, "no-cache"u8):
                Qualified(ref NoCache, value, hasValue);
                break;
            case 8 when Ascii.EqualsIgnoreCase(name, "s-maxage"u8):
                Restrict(ref SharedMaxAge, value);
                break;
            case 9 when Ascii.EqualsIgnoreCase(name, "immutable"u8):
                Immutable = true;
                break;
            case 9 when Ascii.EqualsIgnoreCase(name, "min-fresh"u8):
                MinFresh = Math.Max(MinFresh, Seconds(value));
                break;
            case 9 when Ascii.EqualsIgnoreCase(name, "max-stale"u8):
                // Without a value any staleness will do (RFC 9111 5.2.1.2).
                var staleness = hasValue ? Seconds(value) : MaxSeconds;
                MaxStale = MaxStale == Absent ? staleness : Math.Min(MaxStale, staleness);
                break;
            case 14 when Ascii.EqualsIgnoreCase(name, "stale-if-error"u8):
                Restrict(ref StaleIfError, value);
                break;
            case 14 when Ascii.EqualsIgnoreCase(name, "only-if-cached"u8):
                OnlyIfCached = true;
                break;
            case 15 when Ascii.EqualsIgnoreCase(name, "must-revalidate"u8):
                MustRevalidate = true;
                break;
            case 15 when Ascii.EqualsIgnoreCase(name, "must-understand"u8):
                MustUnderstand = true;
                break;
            case 16 when Ascii.EqualsIgnoreCase(name, "proxy-revalidate"u8):
                ProxyRevalidate = true;
                break;
            case 22 when Ascii.EqualsIgnoreCase(name, "stale-while-revalidate"u8):
                Restrict(ref StaleWhileRevalidate, value);
                break;
            default:
                // RFC 9111 5.2.3: what is not known is ignored.
                break;
        }
    }

    /// <summary>One line: a list of tokens, each perhaps with a token or quoted string.</summary>
    private void Add(ReadOnlySpan<byte> line)
    {
        Span<byte> unescaped = stackalloc byte[256];
        while (!line.IsEmpty)
        {
            var nameEnd = line.IndexOfAny((byte)',', (byte)'=');
            var name = nameEnd < 0 ? line : line[..nameEnd];
            var hasValue = nameEnd >= 0 && line[nameEnd] == '=';
            line = nameEnd < 0 ? default : line[(nameEnd + 1)..];
            scoped ReadOnlySpan<byte> value = default;
            if (hasValue && !line.IsEmpty && line[0] == '"')
            {
                // What is too long to be read whole is not read in part: it counts as what cannot be read.
                value = Quoted(ref line, unescaped) is >= 0 and var length ? unescaped[..length] : "?"u8;
            }
            else if (hasValue)
            {
                var valueEnd = line.IndexOf((byte)',');
                value = Trim(valueEnd < 0 ? line : line[..valueEnd], out var isSpaced);
                line = valueEnd < 0 ? default : line[(valueEnd + 1)..];

                // White space before a value is no syntax of RFC 9111: a value that cannot be read.
                value = isSpaced ? "?"u8 : value;
            }

            var trimmed = name.Trim(" \t"u8);
            if (!trimmed.IsEmpty)
            {
                Set(trimmed, hasValue && name.Length > 0 && name[^1] is (byte)' ' or (byte)'\t' && hasValue ? "?"u8 : value, hasValue);
            }
        }
    }

    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> value, out bool isSpaced)
    {
        isSpaced = !value.IsEmpty && value[0] is (byte)' ' or (byte)'\t';
        return value.Trim(" \t"u8);
    }

    /// <summary>A quoted string (RFC 9110 5.6.4) and everything up to the next comma. An unterminated one takes the rest of the line.</summary>
    /// <returns>How many bytes it means; -1 when they are too many.</returns>
    private static int Quoted(scoped ref ReadOnlySpan<byte> line, scoped Span<byte> unescaped)
    {
        var length = 0;
        var i = 1;
        for (; i < line.Length && line[i] != '"'; i++)
        {
            i += line[i] == '\\' && i + 1 < line.Length ? 1 : 0;
            if (length < unescaped.Length)
            {
                unescaped[length] = line[i];
            }

            length++;
        }

        line = i < line.Length ? line[(i + 1)..] : default;
        var comma = line.IndexOf((byte)',');
        line = comma < 0 ? default : line[(comma + 1)..];
        return length > unescaped.Length ? -1 : length;
    }

    private void Qualified(ref bool directive, ReadOnlySpan<byte> value, bool hasValue)
    {
        if (hasValue && !value.IsEmpty && value[0] != '?')
        {
            var names = Encoding.Latin1.GetString(value);
            UnstoredFields = UnstoredFields is null ? names : UnstoredFields + "," + names;
        }
        else
        {
            directive = true;
        }
    }

    private static void Restrict(ref int directive, ReadOnlySpan<byte> value)
    {
        var seconds = Seconds(value);
        directive = directive == Absent ? seconds : Math.Min(directive, seconds);
    }

    /// <summary>RFC 9111 1.2.2; 0 for what is no such number.</summary>
    private static int Seconds(ReadOnlySpan<byte> value) => TrySeconds(value, out var seconds) ? seconds : 0;

    /// <summary>Only digits; what is too large is as large as it gets.</summary>
    public static bool TrySeconds(ReadOnlySpan<byte> value, out int seconds)
    {
        long number = 0;
        seconds = 0;
        foreach (var digit in value)
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                return false;
            }

            number = Math.Min(MaxSeconds, (number * 10) + (digit - '0'));
        }

        seconds = (int)number;
        return !value.IsEmpty;
    }
}
