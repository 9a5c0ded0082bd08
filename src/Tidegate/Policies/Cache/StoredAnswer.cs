using System.Runtime.InteropServices;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>How a stored answer may be used for a request.</summary>
internal enum StoredUse
{
    /// <summary>As it is.</summary>
    Fresh,

    /// <summary>As it is, because the request takes stale answers.</summary>
    Stale,

    /// <summary>As it is, while the upstream is asked in the background (RFC 5861 3).</summary>
    StaleWhileRevalidate,

    /// <summary>Only after the upstream was asked, because it is stale or says so.</summary>
    Validate,

    /// <summary>Only after the upstream was asked, because the request wants that.</summary>
    ValidateForRequest,
}

/// <summary>
/// One answer in the store. What it says never changes; a validation makes another one over the same content. There are millions of them: fields are as small as they can
/// be, and links and counts of the store are in here.
/// </summary>
internal sealed class StoredAnswer
{
    // This object (136) and its content's (40), the array's own head (24), rounding (up to 7) and a place in the index (8 to 16).
    private const int OverheadBytes = 220;

    // Content that stands alone has arrays of its own.
    private const int ArrayBytes = 32;

    // Not as one number, which would be aligned to 16 bytes.
    private readonly ulong _keyLow;
    private readonly ulong _keyHigh;
    private byte[] _block = [];
    private int _varyBytes;
    private int _headBytes;
    private uint _initialAge;
    private uint _lifetime;
    private uint _staleWhileRevalidate;
    private uint _staleIfError;
    private ushort _status;
    private ushort _tagCount;
    private byte _flags;

    public required UInt128 Key
    {
        get => new(_keyHigh, _keyLow);
        init => (_keyLow, _keyHigh) = ((ulong)value, (ulong)(value >> 64));
    }

    public required AnswerBlock Block
    {
        init => (_block, _tagCount, _varyBytes, _headBytes) = (value.Bytes, (ushort)value.TagCount, value.VaryBytes, value.HeadBytes);
    }

    /// <summary>Names of tags, groups and credentials that it can be purged by.</summary>
    public ReadOnlySpan<ulong> Tags => MemoryMarshal.Cast<byte, ulong>(_block.AsSpan(0, TagBytes));

    /// <summary>The request fields that it was chosen by; empty when it is for every request.</summary>
    public ReadOnlySpan<byte> Vary => _block.AsSpan(TagBytes, _varyBytes);

    public ReadOnlySpan<byte> Head => _block.AsSpan(TagBytes + _varyBytes, _headBytes);

    public required int Status { get => _status; init => _status = (ushort)value; }

    public required StoredContent Content { get; init; }

    public required AnswerTerms Terms
    {
        init => (_initialAge, _lifetime, _staleWhileRevalidate, _staleIfError, _flags) =
            (ShortTime.Ceiling(value.InitialAge), ShortTime.Floor(value.Lifetime), ShortTime.Floor(value.StaleWhileRevalidate), ShortTime.Floor(value.StaleIfError), value.Flags);
    }

    public TimeSpan InitialAge => ShortTime.Read(_initialAge);

    public TimeSpan Lifetime => ShortTime.Read(_lifetime);

    public TimeSpan StaleWhileRevalidate => ShortTime.Read(_staleWhileRevalidate);

    public TimeSpan StaleIfError => ShortTime.Read(_staleIfError);

    /// <summary>See <see cref="AnswerTerms.Flags"/>.</summary>
    public byte Flags => _flags;

    public bool NeedsValidation => (_flags & AnswerTerms.NeedsValidationFlag) != 0;

    public bool ForbidsStale => (_flags & AnswerTerms.ForbidsStaleFlag) != 0;

    public bool IsImmutable => (_flags & AnswerTerms.IsImmutableFlag) != 0;

    public bool IsOverridden => (_flags & AnswerTerms.IsOverriddenFlag) != 0;

    /// <summary>The timestamp at which it came or was last validated.</summary>
    public required long Received { get; init; }

    /// <summary>The epoch in which it was asked for: what was purged later is not it.</summary>
    public required long Epoch { get; set; }

    /// <summary>The last epoch in which it was known not to be purged.</summary>
    public long CheckedEpoch { get; set; }

    /// <summary>The last timestamp at which it was seen not to be purged; 0 before the first look.</summary>
    public long SeenGood { get; set; }

    public bool IsSoftPurged { get; set; }

    /// <summary>What it weighs.</summary>
    public long Bytes => OverheadBytes + TagBytes + _varyBytes + _headBytes + Content.Length + (Content.IsIn(_block) ? 0 : ArrayBytes * (2 + (Content.Length / StoredContent.PieceBytes)));

    // The store's, changed under its shard's lock.

    /// <summary>The next in its place of the index: of the same key the newest comes first.</summary>
    public StoredAnswer? Next { get; set; }

    public StoredAnswer? Newer { get; set; }

    public StoredAnswer? Older { get; set; }

    public byte Frequency { get; set; }

    public AnswerPlace Place { get; set; }

    private int TagBytes => _tagCount * sizeof(ulong);

    /// <summary>Puts small content that came on its own beside the fields. Before the answer is stored, once.</summary>
    public void Pack()
    {
        if (Content.PackedBytes is not (> 0 and var length) || Content.IsIn(_block))
        {
            return;
        }

        var packed = GC.AllocateUninitializedArray<byte>(TagBytes + _varyBytes + _headBytes + length);
        _block.AsSpan(0, TagBytes + _varyBytes + _headBytes).CopyTo(packed);
        Content.MoveTo(packed);
        Volatile.Write(ref _block, packed);
    }

    public TimeSpan Age(long now, TimeProvider time) => InitialAge + time.GetElapsedTime(Received, now);

    /// <summary>How long it is fresh yet; negative when it is stale. A soft purge made it stale, at the earliest, when it was last seen to be none.</summary>
    public TimeSpan FreshFor(long now, TimeProvider time)
    {
        var freshFor = Lifetime - Age(now, time);
        if (!IsSoftPurged)
        {
            return freshFor;
        }

        var purged = -time.GetElapsedTime(SeenGood == 0 ? Received : SeenGood, now);
        return purged < freshFor ? purged : freshFor;
    }

    /// <summary>From when on it is stale.</summary>
    public DateTimeOffset FreshUntil(TimeProvider time) => time.GetUtcNow() + FreshFor(time.GetTimestamp(), time);

    public bool HasValidator => StoredHead.TryGet(Head, KnownHeader.ETag, out _) || StoredHead.TryGet(Head, KnownHeader.LastModified, out _);

    /// <summary>Whether it may be used for a request (RFC 9111 4 and 5.2.1).</summary>
    public StoredUse UseFor(in CacheControl request, long now, TimeProvider time)
    {
        var age = Age(now, time);
        var freshFor = FreshFor(now, time);
        var isFresh = freshFor > TimeSpan.Zero;
        if (NeedsValidation)
        {
            return StoredUse.Validate;
        }

        // RFC 8246: a reload of what never changes needs no question. Who wants to be sure says no-cache.
        var isReload = request is { MaxAge: 0, NoCache: false } && IsImmutable && isFresh;
        if (request.NoCache || (request.MaxAge != CacheControl.Absent && age > TimeSpan.FromSeconds(request.MaxAge) && !isReload))
        {
            return StoredUse.ValidateForRequest;
        }

        if (request.MinFresh != CacheControl.Absent && freshFor < TimeSpan.FromSeconds(request.MinFresh))
        {
            return StoredUse.ValidateForRequest;
        }

        if (isFresh)
        {
            return StoredUse.Fresh;
        }

        if (ForbidsStale)
        {
            return StoredUse.Validate;
        }

        return request.MaxStale != CacheControl.Absent && -freshFor <= TimeSpan.FromSeconds(request.MaxStale) ? StoredUse.Stale
            : -freshFor < StaleWhileRevalidate ? StoredUse.StaleWhileRevalidate
            : StoredUse.Validate;
    }

    /// <summary>Whether it may stand in for an error (RFC 5861 4), or for an upstream that cannot be reached (RFC 9111 4.2.4).</summary>
    public bool MayReplaceError(in CacheControl request, TimeSpan staleOnFailure, long now, TimeProvider time)
    {
        if (ForbidsStale || NeedsValidation || request.NoCache || request.MaxAge != CacheControl.Absent || request.MinFresh != CacheControl.Absent)
        {
            return false;
        }

        var window = StaleIfError;
        window = request.StaleIfError != CacheControl.Absent && TimeSpan.FromSeconds(request.StaleIfError) > window ? TimeSpan.FromSeconds(request.StaleIfError) : window;
        return -FreshFor(now, time) <= (staleOnFailure > window ? staleOnFailure : window);
    }
}
