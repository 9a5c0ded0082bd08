using System.Globalization;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// What is missing of a range of which stored parts have one end or both. The upstream is asked for that alone, on the condition that the whole is still the one whose parts are there (RFC 9110
/// 13.1.5), and the client gets both, one behind the other (RFC 9111 3.4).
/// </summary>
internal sealed class PartGap
{
    private readonly HttpCache _cache;
    private readonly CacheKey _key;
    private readonly StoredAnswer _held;
    private readonly ByteRange _range;
    private readonly ByteRange _missing;
    private readonly byte[] _asked;
    private readonly byte[]? _condition;

    private PartGap(HttpCache cache, in CacheKey key, StoredAnswer held, HeaderList request, ByteRange range, ByteRange missing)
    {
        (_cache, _key, _held, _range, _missing) = (cache, key, held, range, missing);
        _asked = request.TryGet(KnownHeader.Range, out var asked) ? asked.ToArray() : [];
        _condition = request.TryGet(KnownHeader.IfRange, out var condition) ? condition.ToArray() : null;
    }

    /// <summary>What is missing; null where what is there is of no use, or saves nothing.</summary>
    /// <param name="exchange">Which asks for a range.</param>
    /// <param name="cache">Where parts are.</param>
    /// <param name="key">Of the whole.</param>
    /// <param name="held">The parts.</param>
    /// <param name="request">What the request says.</param>
    public static PartGap? Find(Exchange exchange, HttpCache cache, in CacheKey key, StoredAnswer held, in RequestTerms request)
    {
        var parts = held.Content.Parts!;
        var fields = exchange.RequestHeaders;
        if (request.IsConditional || held.IsSoftPurged || held.UseFor(request.Control, cache.Time.GetTimestamp(), cache.Time) is not (StoredUse.Fresh or StoredUse.Stale)
            || fields.CountOf(KnownHeader.Range) != 1 || !fields.TryGet(KnownHeader.Range, out var field) || !Preconditions.RangeApplies(fields, held)
            || ByteRange.Read(field, parts.Total, out var range) is not true)
        {
            return null;
        }

        // One range is asked for, over what is held in between: several at once come in another form, and many services refuse them.
        var missing = parts.Missing(range);
        return missing.Length > 0 && missing.Length < range.Length ? new PartGap(cache, key, held, fields, range, missing) : null;
    }

    /// <summary>Makes the request one for what is missing.</summary>
    public void Ask(HeaderList request)
    {
        StoredHead.TryGet(_held.Head, KnownHeader.ETag, out var tag);
        request.Set(KnownHeader.Range, string.Create(CultureInfo.InvariantCulture, $"bytes={_missing.Start}-{_missing.Start + _missing.Length - 1}"));
        request.Set(KnownHeader.IfRange, tag);
    }

    /// <summary>Makes it the client's again.</summary>
    public void Restore(HeaderList request)
    {
        request.Set(KnownHeader.Range, _asked);
        request.Remove(KnownHeader.IfRange);
        if (_condition is not null)
        {
            request.Add(KnownHeader.IfRange, _condition);
        }
    }

    /// <summary>What the answer is, when it is one.</summary>
    public GapAnswer Judge(Exchange exchange)
    {
        switch (exchange.ResponseStatus)
        {
            case 206 when IsMissing(exchange):
                return GapAnswer.Missing;
            case 206 or 416:
            // Of another whole, or another part: not what the client has asked for. Nothing held is of use any more.
            case 400 or 401 or 403 or 412:
                // Of how it was asked, perhaps: a client's signature may be over its Range. Asked once more for nothing, and not for ever.
                _cache.Store.Drop(_held);
                return GapAnswer.Unfit;
            case 200:
                // The whole is another one, or its service knows no ranges (RFC 9110 14.2): right for the client too.
                _cache.Store.Drop(_held);
                return GapAnswer.Whole;
            default:
                return GapAnswer.Other;
        }
    }

    /// <summary>Makes of the answer the one that the client has asked for.</summary>
    public void Fill(Exchange exchange)
    {
        // RFC 9111 3.4: the newer fields over the older ones. An answer to If-Range need not say again what the client has.
        var joined = new HeaderList();
        StoredHead.Decode(_held.Head, joined);
        joined.Remove(KnownHeader.Date);
        StoredHead.Update(joined, exchange.ResponseHeaders);
        joined.Remove(KnownHeader.ContentLength);
        Preconditions.AddContentRange(joined, isSatisfiable: true, _range, _held.Content.Parts!.Total);
        exchange.ResponseHeaders.Clear();
        exchange.ResponseHeaders.AddAll(joined);

        var end = _missing.Start + _missing.Length;
        exchange.ResponseBody = new GapBody(
            Held(new ByteRange(_range.Start, _missing.Start - _range.Start)), exchange.ResponseBody, _missing.Length, Held(new ByteRange(end, _range.Start + _range.Length - end)), _range.Length);
    }

    /// <summary>It is the missing part of the very whole whose others are there, and those may still be used.</summary>
    private bool IsMissing(Exchange exchange)
    {
        var fields = exchange.ResponseHeaders;
        return PartRange.TryRead(fields, out var range, out var total) && range == _missing && total == _held.Content.Parts!.Total && (exchange.ResponseBody.Length ?? range.Length) == range.Length
            && fields.CountOf(KnownHeader.ETag) == 1 && fields.TryGet(KnownHeader.ETag, out var tag) && StoredHead.TryGet(_held.Head, KnownHeader.ETag, out var known) && EntityTags.StronglyEqual(tag, known)
            && !_cache.Epochs.IsPurged(_held, _key, exchange.Target, _cache.Time.GetTimestamp()) && !_held.IsSoftPurged;
    }

    private ContentReader? Held(ByteRange range)
    {
        var reader = range.Length > 0 ? new ContentReader(_cache.Store) : null;
        return reader is null || reader.TryBegin(_held.Content, seat: null, range) ? reader : throw new InvalidOperationException("Parts that are held can be read for ever.");
    }
}

/// <summary>What came of asking for what is missing.</summary>
internal enum GapAnswer
{
    /// <summary>An error, say: it is the client's.</summary>
    Other,

    /// <summary>What was asked for.</summary>
    Missing,

    /// <summary>The whole instead.</summary>
    Whole,

    /// <summary>Something that is of no use to anybody.</summary>
    Unfit,
}
