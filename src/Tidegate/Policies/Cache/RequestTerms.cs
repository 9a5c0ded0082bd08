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

    /// <summary>A POST that is a read here.</summary>
    public bool IsPost;

    public bool HasAuthorization;

    /// <summary>It carries a credential that no part of the key tells apart from others.</summary>
    public bool HasUnkeyedCredential;

    /// <summary>The answer is kept for calls with this credential only, so that what is private to it may be kept too.</summary>
    public bool IsPrivatePartition;

    /// <summary>The answer is kept for one caller: a credential or a consumer that has a name.</summary>
    public bool IsOneCaller;

    /// <summary>If-None-Match or If-Modified-Since.</summary>
    public bool IsConditional;

    public bool HasRange;

    /// <summary>Why no stored answer is looked for; null when one is.</summary>
    public string? Bypass;

    /// <summary>Reads a request's terms.</summary>
    /// <param name="exchange">Its fields.</param>
    /// <param name="settings">Of its route.</param>
    /// <param name="keysBody">Its content is a part of the key.</param>
    public static RequestTerms Read(Exchange exchange, CacheSettings settings, bool keysBody)
    {
        var terms = default(RequestTerms);
        var fields = exchange.RequestHeaders;
        terms.Control = CacheControl.Read(fields, isRequest: true);
        terms.IsPost = exchange.Method == "POST";
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
                    terms.HasUnkeyedCredential |= !settings.IsKeyed(field.Name);
                    break;
                case KnownHeader.Cookie or KnownHeader.XApiKey:
                    terms.HasUnkeyedCredential |= !settings.IsKeyed(field.Name);
                    break;
                case KnownHeader.IfNoneMatch or KnownHeader.IfModifiedSince or KnownHeader.Range when terms.IsPost:
                    // They mean something else with a POST (RFC 9110 13.2 and 14.2): it is for the origin to judge.
                    terms.Bypass ??= "precondition";
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
                case KnownHeader.None when FieldNames.IsCredential(field.Name):
                    terms.HasUnkeyedCredential |= !settings.IsKeyed(field.Name);
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
            if (FieldNames.AreSame(candidate, name))
            {
                return true;
            }
        }

        return false;
    }
}
