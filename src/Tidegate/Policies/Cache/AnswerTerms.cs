using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>On what terms an answer may be stored and used again (RFC 9111 3 and 4.2), read off its head once.</summary>
internal readonly record struct AnswerTerms
{
    public const byte NeedsValidationFlag = 1;
    public const byte ForbidsStaleFlag = 2;
    public const byte IsImmutableFlag = 4;
    public const byte IsOverriddenFlag = 8;

    private const byte IsExplicitFlag = 16;

    // A guess must not outlive the day: nobody meant it.
    private static readonly TimeSpan MaxHeuristic = TimeSpan.FromDays(1);

    // What a spoiled request may have brought: whoever spoils a URL must come back each minute, and is seen.
    private static readonly TimeSpan MaxForOneRequest = TimeSpan.FromMinutes(1);

    /// <summary>Empty when the answer may be stored; else why not, as a word for Cache-Status.</summary>
    public string WhyNot { get; private init; }

    /// <summary>Its age when it came.</summary>
    public TimeSpan InitialAge { get; private init; }

    /// <summary>From which age on it is stale.</summary>
    public TimeSpan Lifetime { get; private init; }

    /// <summary>It must not be used before the upstream was asked.</summary>
    public bool NeedsValidation { get; private init; }

    /// <summary>Stale, it must not be used, whatever else is said.</summary>
    public bool ForbidsStale { get; private init; }

    /// <summary>A reload is no reason to ask (RFC 8246).</summary>
    public bool IsImmutable { get; private init; }

    public TimeSpan StaleWhileRevalidate { get; private init; }

    public TimeSpan StaleIfError { get; private init; }

    /// <summary>The configuration decided its lifetime against the upstream.</summary>
    public bool IsOverridden { get; private init; }

    /// <summary>Fields that must not be stored.</summary>
    public string? UnstoredFields { get; private init; }

    /// <summary>The answer itself says how long it is fresh.</summary>
    public bool IsExplicit { get; private init; }

    /// <summary>What is yes or no of it, in a byte.</summary>
    public byte Flags => (byte)((NeedsValidation ? NeedsValidationFlag : 0) | (ForbidsStale ? ForbidsStaleFlag : 0) | (IsImmutable ? IsImmutableFlag : 0) | (IsOverridden ? IsOverriddenFlag : 0) | (IsExplicit ? IsExplicitFlag : 0));

    public bool IsStorable => WhyNot.Length == 0;

    /// <summary>The terms of an answer that was stored.</summary>
    public static AnswerTerms Restore(TimeSpan initialAge, TimeSpan lifetime, TimeSpan staleWhileRevalidate, TimeSpan staleIfError, byte flags) => new()
    {
        WhyNot = "",
        InitialAge = initialAge,
        Lifetime = lifetime,
        StaleWhileRevalidate = staleWhileRevalidate,
        StaleIfError = staleIfError,
        NeedsValidation = (flags & NeedsValidationFlag) != 0,
        ForbidsStale = (flags & ForbidsStaleFlag) != 0,
        IsImmutable = (flags & IsImmutableFlag) != 0,
        IsOverridden = (flags & IsOverriddenFlag) != 0,
        IsExplicit = (flags & IsExplicitFlag) != 0,
    };

    /// <summary>Reads an answer's terms.</summary>
    /// <param name="settings">The rules of the configuration.</param>
    /// <param name="status">Final.</param>
    /// <param name="fields">The answer's.</param>
    /// <param name="request">What it answers.</param>
    /// <param name="delay">How long it took to come.</param>
    /// <param name="now">When it came.</param>
    public static AnswerTerms Read(CacheSettings settings, int status, HeaderList fields, in RequestTerms request, TimeSpan delay, DateTimeOffset now)
    {
        var isTargeted = TargetedControl.TryRead(fields, out var control);
        if (!isTargeted)
        {
            control = CacheControl.Read(fields, isRequest: false);
        }

        var isShared = !request.IsPrivatePartition;
        var date = fields.TryGet(KnownHeader.Date, out var dateField) && HttpDate.TryParse(dateField, now, out long parsed) ? parsed : now.ToUnixTimeSeconds();
        var hasValidator = fields.Contains(KnownHeader.ETag) || fields.Contains(KnownHeader.LastModified);
        var isForOneRequest = IsForOneRequest(status);
        var ttl = isForOneRequest ? null : settings.TtlOf(status);
        var lifetime = Explicit(control, fields, isShared, isTargeted, date, now);
        var isExplicit = lifetime is not null;
        var saysNothing = lifetime is null && !control.NoStore && !control.NoCache && !control.Private;
        var isOverridden = ttl is not null && settings.IsOverride;
        if (ttl is not null && (isOverridden || saysNothing))
        {
            lifetime = ttl;
        }

        // RFC 9110 9.3.3: of an answer to POST nothing is guessed.
        lifetime ??= hasValidator && !isForOneRequest && !request.IsPost && !fields.Contains(KnownHeader.SetCookie) && (IsHeuristicallyCacheable(status) || control.Public) ? Heuristic(fields, date, now) : null;
        var whyNot = isOverridden ? WhyNotOverridden(status, fields) : WhyNotStored(control, status, fields, request, isShared, ttl is not null);
        if (whyNot.Length == 0 && ttl is not null && (isOverridden || saysNothing))
        {
            whyNot = WhyNotShared(control, fields, request);
        }

        if (whyNot.Length == 0 && lifetime is null && !hasValidator)
        {
            whyNot = "no-freshness";
        }

        if (isForOneRequest)
        {
            whyNot = whyNot.Length == 0 && !isExplicit ? "status" : whyNot;
            lifetime = lifetime > MaxForOneRequest ? MaxForOneRequest : lifetime;
        }

        var forbidsStale = isForOneRequest || control.MustRevalidate || (isShared && (control.ProxyRevalidate || control.SharedMaxAge != CacheControl.Absent));
        return new AnswerTerms
        {
            WhyNot = whyNot,
            InitialAge = Max(TimeSpan.FromSeconds(Math.Max(0, now.ToUnixTimeSeconds() - date)), Age(fields) + delay),
            Lifetime = lifetime ?? TimeSpan.Zero,
            NeedsValidation = control.NoCache && !isOverridden,
            ForbidsStale = forbidsStale && !isOverridden,
            IsImmutable = control.Immutable,
            StaleWhileRevalidate = Window(control.StaleWhileRevalidate),
            StaleIfError = Window(control.StaleIfError),
            IsOverridden = isOverridden,
            UnstoredFields = control.UnstoredFields,
            IsExplicit = isExplicit && !isOverridden,
        };
    }

    /// <summary>RFC 9111 4.2.1, in its order.</summary>
    private static TimeSpan? Explicit(in CacheControl control, HeaderList fields, bool isShared, bool isTargeted, long date, DateTimeOffset now)
    {
        if (isShared && control.SharedMaxAge != CacheControl.Absent)
        {
            return TimeSpan.FromSeconds(control.SharedMaxAge);
        }

        if (control.MaxAge != CacheControl.Absent)
        {
            return TimeSpan.FromSeconds(control.MaxAge);
        }

        // RFC 9213 2.1: with a targeted field Expires says nothing.
        if (isTargeted || !fields.TryGet(KnownHeader.Expires, out var expires))
        {
            return null;
        }

        // RFC 9111 5.3: what is no date, or stands twice with two meanings, is in the past.
        return fields.CountOf(KnownHeader.Expires) == 1 && HttpDate.TryParse(expires, now, out long seconds) ? TimeSpan.FromSeconds(Math.Clamp(seconds - date, 0, CacheControl.MaxSeconds)) : TimeSpan.Zero;
    }

    /// <summary>RFC 9111 4.2.2: a tenth of how long it had not changed.</summary>
    private static TimeSpan? Heuristic(HeaderList fields, long date, DateTimeOffset now)
    {
        if (!fields.TryGet(KnownHeader.LastModified, out var modified) || !HttpDate.TryParse(modified, now, out long seconds) || seconds >= date)
        {
            return null;
        }

        var tenth = TimeSpan.FromSeconds((date - seconds) / 10.0);
        return tenth < MaxHeuristic ? tenth : MaxHeuristic;
    }

    /// <summary>RFC 9110 15.1.</summary>
    private static bool IsHeuristicallyCacheable(int status) => status is 200 or 203 or 204 or 300 or 301 or 308 or 404 or 405 or 410 or 414 or 501;

    /// <summary>Statuses whose meaning for a cache we know (RFC 9111 3, must-understand).</summary>
    private static bool IsUnderstood(int status) => status is 200 or 203 or 204 or 300 or 301 or 302 or 303 or 307 or 308 or 403 or 404 or 405 or 410 or 414 or 451 or 500 or 501 or 502 or 503 or 504;

    /// <summary>
    /// Parts of another answer (206, 304), questions to one caller (401, 407), what depends on a part of the request that no key has, and what may not be
    /// stored (RFC 6585 3 to 6).
    /// </summary>
    private static bool IsNeverStored(int status) =>
        status is 206 or 304 or 401 or 407 or 408 or 411 or 412 or 413 or 415 or 416 or 417 or 421 or 425 or 426 or 428 or 429 or 431 or 511;

    /// <summary>
    /// These say that something was wrong with how one request was sent. A request that was spoiled on purpose must not spoil everybody's: only the upstream's own
    /// word makes such an answer one for all (RFC 9111 3), never a guess and never a rule.
    /// </summary>
    private static bool IsForOneRequest(int status) => status is 400 or 406 or 422;

    private static string WhyNotStored(in CacheControl control, int status, HeaderList fields, in RequestTerms request, bool isShared, bool hasTtl)
    {
        var storesUnderstood = control.MustUnderstand && IsUnderstood(status);
        if (control.MustUnderstand && !storesUnderstood)
        {
            return "must-understand";
        }

        if (control.NoStore && !storesUnderstood)
        {
            return "no-store";
        }

        if (control.Private && isShared)
        {
            return "private";
        }

        // RFC 9111 3.5.
        if (isShared && request.HasAuthorization && !control.Public && !control.MustRevalidate && control.SharedMaxAge == CacheControl.Absent)
        {
            return "authorization";
        }

        if (IsNeverStored(status))
        {
            return "status";
        }

        if (fields.Contains(KnownHeader.Trailer))
        {
            return "trailers";
        }

        // RFC 9111 3, the last condition.
        var hasPermission = hasTtl || control.Public || control.Private || control.MaxAge != CacheControl.Absent || (isShared && control.SharedMaxAge != CacheControl.Absent)
            || fields.Contains(KnownHeader.Expires) || IsHeuristicallyCacheable(status);
        return hasPermission ? "" : "status";
    }

    private static string WhyNotOverridden(int status, HeaderList fields) => IsNeverStored(status) ? "status" : fields.Contains(KnownHeader.Trailer) ? "trailers" : "";

    /// <summary>
    /// What not even the configuration may do: share what may be for one caller alone. Whoever wrote a rule for a URL knew what the answers say, and not what
    /// each of them would be.
    /// </summary>
    private static string WhyNotShared(in CacheControl control, HeaderList fields, in RequestTerms request)
    {
        // A cookie is a user's, and a consumer may have many.
        if (!request.IsPrivatePartition && fields.Contains(KnownHeader.SetCookie))
        {
            return "set-cookie";
        }

        if (request.IsOneCaller)
        {
            return "";
        }

        return control.Private ? "private"
            : request.HasUnkeyedCredential && !control.Public && !control.MustRevalidate && control.SharedMaxAge == CacheControl.Absent ? "authorization"
            : "";
    }

    /// <summary>RFC 9111 5.1: the first member of the first line; what is no number says nothing.</summary>
    private static TimeSpan Age(HeaderList fields)
    {
        if (!fields.TryGet(KnownHeader.Age, out var value))
        {
            return TimeSpan.Zero;
        }

        var comma = value.IndexOf((byte)',');
        var first = (comma < 0 ? value : value[..comma]).Trim(" \t"u8);
        return CacheControl.TrySeconds(first, out var seconds) ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero;
    }

    private static TimeSpan Window(int seconds) => seconds == CacheControl.Absent ? TimeSpan.Zero : TimeSpan.FromSeconds(seconds);

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
