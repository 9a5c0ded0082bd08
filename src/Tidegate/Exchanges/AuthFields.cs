using System.Text;

namespace Tidegate.Exchanges;

/// <summary>By which fields a request says who sends it. Of their names only: nothing of a value.</summary>
[Flags]
public enum AuthFields
{
    /// <summary>By none.</summary>
    None = 0,

    /// <summary><c>Authorization</c>.</summary>
    Authorization = 1,

    /// <summary>One whose name ends in key or token, such as <c>X-Api-Key</c>.</summary>
    Key = 2,

    /// <summary><c>Cookie</c>.</summary>
    Cookie = 4,
}

/// <summary>Finds them.</summary>
internal static class AuthFieldNames
{
    public static AuthFields Of(HeaderList fields)
    {
        var found = AuthFields.None;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            found |= field.Known switch
            {
                KnownHeader.Authorization => AuthFields.Authorization,
                KnownHeader.XApiKey => AuthFields.Key,
                KnownHeader.Cookie => AuthFields.Cookie,
                KnownHeader.None when IsKey(field.Name) => AuthFields.Key,
                _ => AuthFields.None,
            };
        }

        return found;
    }

    private static bool IsKey(ReadOnlySpan<byte> name) => (name[^1] | 0x20) switch
    {
        'y' => Ends(name, "key"u8) && !Ends(name, "idempotency-key"u8) && !Ends(name, "sec-websocket-key"u8),
        'n' => Ends(name, "token"u8),
        _ => false,
    };

    private static bool Ends(ReadOnlySpan<byte> name, ReadOnlySpan<byte> end) => name.Length >= end.Length && Ascii.EqualsIgnoreCase(name[^end.Length..], end);
}
