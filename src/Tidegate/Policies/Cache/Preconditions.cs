using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>A client's conditions and ranges, answered from a stored answer (RFC 9111 4.3.2, RFC 9110 13 and 14).</summary>
internal static class Preconditions
{
    /// <summary>Whether the client's own copy still holds: a 304. If-None-Match alone decides where it is present.</summary>
    public static bool Hold(HeaderList request, StoredAnswer answer, DateTimeOffset now)
    {
        if (request.Contains(KnownHeader.IfNoneMatch))
        {
            StoredHead.TryGet(answer.Head, KnownHeader.ETag, out var tag);
            return EntityTags.AnyMatches(request, KnownHeader.IfNoneMatch, tag);
        }

        // Without Last-Modified the answer's date says since when it is what it is.
        return request.TryGet(KnownHeader.IfModifiedSince, out var since) && HttpDate.TryParse(since, now, out long clients)
            && (StoredHead.TryGet(answer.Head, KnownHeader.LastModified, out var modified) || StoredHead.TryGet(answer.Head, KnownHeader.Date, out modified))
            && HttpDate.TryParse(modified, now, out long ours) && ours <= clients;
    }

    /// <summary>RFC 9110 15.4.5: what describes the content goes, unless it helps the client to find its copy.</summary>
    public static void KeepFieldsOf304(HeaderList fields)
    {
        fields.Remove(KnownHeader.ContentType);
        fields.Remove(KnownHeader.ContentEncoding);
        fields.Remove("Content-Language"u8);
        fields.Remove("Content-Range"u8);
    }

    /// <summary>RFC 9110 13.1.5: If-Range, where there is one, must name exactly the stored answer.</summary>
    public static bool RangeApplies(HeaderList request, StoredAnswer answer)
    {
        if (!request.TryGet(KnownHeader.IfRange, out var condition))
        {
            return true;
        }

        return condition.StartsWith("\""u8) || EntityTags.IsWeak(condition)
            ? StoredHead.TryGet(answer.Head, KnownHeader.ETag, out var tag) && EntityTags.StronglyEqual(condition, tag)
            : StoredHead.TryGet(answer.Head, KnownHeader.LastModified, out var modified) && condition.SequenceEqual(modified);
    }

    /// <summary>Says which part it is, or how much there would have been.</summary>
    /// <returns>206 or 416.</returns>
    public static int AddContentRange(HeaderList fields, bool isSatisfiable, ByteRange range, long total)
    {
        Span<byte> value = stackalloc byte[80];
        int length;
        var fits = isSatisfiable
            ? System.Text.Unicode.Utf8.TryWrite(value, $"bytes {range.Start}-{range.Start + range.Length - 1}/{total}", out length)
            : System.Text.Unicode.Utf8.TryWrite(value, $"bytes */{total}", out length);
        fields.Remove("Content-Range"u8);
        fields.Add("Content-Range"u8, value[..(fits ? length : 0)]);
        RemoveDigestsOfContent(fields);
        return isSatisfiable ? 206 : 416;
    }

    /// <summary>What is said of the very bytes of another content: another part, or the whole (RFC 9530 2). Repr-Digest is of the representation and stays.</summary>
    public static void RemoveDigestsOfContent(HeaderList fields)
    {
        fields.Remove("Content-Digest"u8);
        fields.Remove("Content-MD5"u8);
    }
}
