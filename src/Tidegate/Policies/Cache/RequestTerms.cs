using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>What a request says that matters to a cache.</summary>
internal struct RequestTerms
{
    // Services and frameworks read these; whoever writes one can make the answer another than its URL's. None is a part of a key, so none is cached.
    private static readonly byte[][] Rerouting =
    [
        [.. "X-HTTP-Method-Override"u8], [.. "X-HTTP-Method"u8], [.. "X-Method-Override"u8], [.. "X-Original-URL"u8], [.. "X-Rewrite-URL"u8], [.. "X-Original-Host"u8],
        [.. "X-Host"u8], [.. "X-Forwarded-Scheme"u8], [.. "X-Forwarded-Prefix"u8], [.. "X-Forwarded-Server"u8], [.. "X-Forwarded-Path"u8],
    ];

    public CacheControl Control;

    public bool HasAuthorization;

    /// <summary>The answer is kept for calls with this credential only, so that what is private to it may be kept too.</summary>
    public bool IsPrivatePartition;

    /// <summary>If-None-Match or If-Modified-Since.</summary>
    public bool IsConditional;

    public bool HasRange;

    /// <summary>Why no stored answer is looked for; null when one is.</summary>
    public string? Bypass;

    public static RequestTerms Read(Exchange exchange, bool keysBody)
    {
        var terms = default(RequestTerms);
        var fields = exchange.RequestHeaders;
        terms.Control = CacheControl.Read(fields, isRequest: true);
        if (!keysBody && !exchange.RequestBody.IsEmpty)
        {
            // Content of a GET means nothing (RFC 9110 9.3.1), and yet services read it.
            terms.Bypass = "request-content";
        }

        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            switch (field.Known)
            {
                case KnownHeader.Authorization:
                    terms.HasAuthorization = true;
                    break;
                case KnownHeader.IfNoneMatch or KnownHeader.IfModifiedSince:
                    terms.IsConditional = true;
                    break;
                case KnownHeader.Range:
                    terms.HasRange = true;
                    break;
                case KnownHeader.IfMatch or KnownHeader.IfUnmodifiedSince:
                    // RFC 9111 4.3.2: these are for the origin to judge.
                    terms.Bypass ??= "precondition";
                    break;
                case KnownHeader.None when field.Name.Length > 5 && (field.Name[0] | 0x20) == 'x' && IsRerouting(field.Name):
                    terms.Bypass ??= "rerouting-field";
                    break;
                default:
                    break;
            }
        }

        return terms;
    }

    private static bool IsRerouting(ReadOnlySpan<byte> name)
    {
        foreach (var candidate in Rerouting)
        {
            if (candidate.Length == name.Length && System.Text.Ascii.EqualsIgnoreCase(candidate, name))
            {
                return true;
            }
        }

        return false;
    }
}
