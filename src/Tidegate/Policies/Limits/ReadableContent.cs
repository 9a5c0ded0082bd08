using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits;

/// <summary>Of which content something can be read while it passes, by what its fields say of it.</summary>
internal static class ReadableContent
{
    /// <summary>JSON of any kind, in no coding. Types are compared whatever their case (RFC 9110 8.3.1).</summary>
    public static bool IsJson(HeaderList fields) => fields.TryGet(KnownHeader.ContentType, out var type) && Contains(type, "json"u8) && IsPlain(fields);

    /// <summary>Server-sent events, in no coding.</summary>
    public static bool IsEvents(HeaderList fields)
    {
        var name = "text/event-stream"u8;
        return fields.TryGet(KnownHeader.ContentType, out var type) && type.Trim((byte)' ') is var trimmed && trimmed.Length >= name.Length
            && Ascii.EqualsIgnoreCase(trimmed[..name.Length], name) && IsPlain(fields);
    }

    /// <summary>RFC 9110 12.5.3: identity is a way to say that there is no coding.</summary>
    private static bool IsPlain(HeaderList fields)
    {
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known == KnownHeader.ContentEncoding && fields[i].Value.Trim((byte)' ') is { IsEmpty: false } coding && !Ascii.EqualsIgnoreCase(coding, "identity"u8))
            {
                return false;
            }
        }

        return true;
    }

    private static bool Contains(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word)
    {
        for (var i = 0; i <= text.Length - word.Length; i++)
        {
            if (Ascii.EqualsIgnoreCase(text.Slice(i, word.Length), word))
            {
                return true;
            }
        }

        return false;
    }
}
