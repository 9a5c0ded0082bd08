using System.Buffers.Text;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>
/// <c>RateLimit</c> and <c>RateLimit-Policy</c> (draft-ietf-httpapi-ratelimit-headers): lists of named items with parameters (RFC 9651), and the forms that
/// they had in earlier drafts. A malformed field says nothing at all, as structured fields want it.
/// </summary>
internal ref struct StructuredLimits(ReadOnlySpan<byte> field)
{
    private ReadOnlySpan<byte> _rest = field;

    /// <summary>The next item of the list, white space around it removed.</summary>
    /// <returns>False at the end.</returns>
    public bool TryNext(out ReadOnlySpan<byte> item)
    {
        item = default;
        if (_rest.IsEmpty)
        {
            return false;
        }

        var isQuoted = false;
        var end = 0;
        for (; end < _rest.Length; end++)
        {
            if (_rest[end] == '\\' && isQuoted)
            {
                end++;
            }
            else if (_rest[end] == '"')
            {
                isQuoted = !isQuoted;
            }
            else if (_rest[end] == ',' && !isQuoted)
            {
                break;
            }
        }

        end = Math.Min(end, _rest.Length);
        item = Trim(_rest[..end]);
        _rest = end == _rest.Length ? default : _rest[(end + 1)..];
        return true;
    }

    /// <summary>Reads one item: <c>"name";r=50;t=30;pk=:cHsdsRa894==:</c>.</summary>
    public static bool TryItem(ReadOnlySpan<byte> item, out StructuredLimit limit)
    {
        limit = StructuredLimit.Empty;
        var end = EndOf(item, (byte)';');
        var name = Trim(item[..end]);
        if (name.IsEmpty)
        {
            return false;
        }

        if (name[0] == '"')
        {
            if (name.Length < 2 || name[^1] != '"')
            {
                return false;
            }

            name = name[1..^1];
        }
        else if (Utf8Parser.TryParse(name, out long quota, out var read) && read == name.Length)
        {
            // Earlier drafts wrote the quota where the name is now.
            limit.Quota = quota;
        }

        limit.Name = name;
        while (end < item.Length)
        {
            item = item[(end + 1)..];
            end = EndOf(item, (byte)';');
            if (!TryParameter(Trim(item[..end]), ref limit))
            {
                return false;
            }
        }

        return limit is { Quota: >= SignalWindow.Unknown, Remaining: >= SignalWindow.Unknown, Seconds: >= SignalWindow.Unknown, Window: >= SignalWindow.Unknown };
    }

    private static bool TryParameter(ReadOnlySpan<byte> parameter, ref StructuredLimit limit)
    {
        var equals = parameter.IndexOf((byte)'=');
        var key = equals < 0 ? parameter : Trim(parameter[..equals]);
        var value = equals < 0 ? default : Trim(parameter[(equals + 1)..]);
        if (key.IsEmpty)
        {
            return false;
        }

        switch (key)
        {
            case [(byte)'q']:
                return TryNumber(value, out limit.Quota);
            case [(byte)'r']:
                return TryNumber(value, out limit.Remaining);
            case [(byte)'t']:
                return TryNumber(value, out limit.Seconds);
            case [(byte)'w']:
                return TryNumber(value, out limit.Window);
            case [(byte)'q', (byte)'u']:
                limit.Unit = value.SequenceEqual("\"requests\""u8) || value.SequenceEqual("requests"u8) ? SignalUnit.Requests : SignalUnit.Other;
                return !value.IsEmpty;
            case [(byte)'p', (byte)'k']:
                limit.Partition = value;
                return value.Length >= 2 && value[0] == ':' && value[^1] == ':';
            default:
                // Unknown parameters are for others to read.
                return true;
        }
    }

    private static bool TryNumber(ReadOnlySpan<byte> text, out long number) => Utf8Parser.TryParse(text, out number, out var read) && read == text.Length && number >= 0;

    private static int EndOf(ReadOnlySpan<byte> text, byte separator)
    {
        var isQuoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && isQuoted)
            {
                i++;
            }
            else if (text[i] == '"')
            {
                isQuoted = !isQuoted;
            }
            else if (text[i] == separator && !isQuoted)
            {
                return i;
            }
        }

        return text.Length;
    }

    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> text) => text.Trim(" \t"u8);
}

/// <summary>One item of either field; numbers that were not said are <see cref="SignalWindow.Unknown"/>.</summary>
internal ref struct StructuredLimit
{
    public ReadOnlySpan<byte> Name;

    /// <summary>pk, with its colons.</summary>
    public ReadOnlySpan<byte> Partition;

    /// <summary>q.</summary>
    public long Quota;

    /// <summary>r.</summary>
    public long Remaining;

    /// <summary>t.</summary>
    public long Seconds;

    /// <summary>w.</summary>
    public long Window;

    /// <summary>qu.</summary>
    public SignalUnit Unit;

    public static StructuredLimit Empty => new() { Quota = SignalWindow.Unknown, Remaining = SignalWindow.Unknown, Seconds = SignalWindow.Unknown, Window = SignalWindow.Unknown };
}
