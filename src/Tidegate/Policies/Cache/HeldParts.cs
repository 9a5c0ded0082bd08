namespace Tidegate.Policies.Cache;

/// <summary>Parts of content whose whole is not known: pieces of the whole in which only some ranges are filled. Never changes; a part that comes makes another one.</summary>
internal sealed class HeldParts
{
    /// <summary>Whoever asks for more holes than this asks again.</summary>
    public const int MaxRanges = 64;

    private readonly byte[]?[] _pieces;
    private readonly List<ByteRange> _ranges;

    private HeldParts(long total, byte[]?[] pieces, List<ByteRange> ranges)
    {
        (Total, _pieces, _ranges) = (total, pieces, ranges);
        foreach (var piece in pieces)
        {
            Bytes += piece?.Length ?? 0;
        }
    }

    /// <summary>The whole's length.</summary>
    public long Total { get; }

    /// <summary>What the pieces take.</summary>
    public long Bytes { get; }

    /// <summary>How much of the whole is there.</summary>
    public long HeldBytes => _ranges.Sum(static range => range.Length);

    public bool IsWhole => _ranges.Count == 1 && _ranges[0].Length == Total;

    /// <summary>The whole, in one array or in pieces.</summary>
    public object Whole => _pieces.Length == 1 ? _pieces[0]! : _pieces;

    /// <summary>Adds a part. Where it meets what is there it takes its place: both are of the same whole.</summary>
    /// <param name="held">What is there; null when nothing is.</param>
    /// <param name="total">The whole's length.</param>
    /// <param name="start">Where the part begins in it.</param>
    /// <param name="part">Piece by piece.</param>
    /// <returns>Null when there would be too many ranges.</returns>
    public static HeldParts? Join(HeldParts? held, long total, long start, ReadOnlyMemory<byte>[] part)
    {
        var length = part.Sum(static piece => (long)piece.Length);
        var ranges = Add(held?._ranges ?? [], new ByteRange(start, length));
        if (ranges.Count > MaxRanges)
        {
            return null;
        }

        var pieces = new byte[]?[(total + StoredContent.PieceBytes - 1) / StoredContent.PieceBytes];
        held?._pieces.CopyTo(pieces, 0);
        var (first, last) = ((int)(start / StoredContent.PieceBytes), (int)((start + length - 1) / StoredContent.PieceBytes));
        for (var i = first; i <= last; i++)
        {
            // Whoever reads what was there before goes on in the old one.
            var old = pieces[i];
            pieces[i] = new byte[Math.Min(StoredContent.PieceBytes, total - ((long)i * StoredContent.PieceBytes))];
            old?.CopyTo(pieces[i]!, 0);
        }

        var offset = start;
        foreach (var bytes in part)
        {
            for (var rest = bytes.Span; !rest.IsEmpty;)
            {
                var into = pieces[offset / StoredContent.PieceBytes].AsSpan((int)(offset % StoredContent.PieceBytes));
                var count = Math.Min(rest.Length, into.Length);
                rest[..count].CopyTo(into);
                rest = rest[count..];
                offset += count;
            }
        }

        return new HeldParts(total, pieces, ranges);
    }

    /// <summary>Whether every byte of a range is there.</summary>
    public bool Holds(ByteRange range)
    {
        foreach (var held in _ranges)
        {
            if (held.Start <= range.Start && range.Start + range.Length <= held.Start + held.Length)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What of a range lies between what is held of its beginning and of its end.</summary>
    public ByteRange Missing(ByteRange range)
    {
        var (start, end) = (range.Start, range.Start + range.Length);
        foreach (var held in _ranges)
        {
            // They do not touch: one at most has the beginning, and one the end.
            var heldEnd = held.Start + held.Length;
            if (held.Start <= start && start < heldEnd)
            {
                start = heldEnd;
            }

            if (held.Start < end && end <= heldEnd)
            {
                end = held.Start;
            }
        }

        return new ByteRange(start, Math.Max(0, end - start));
    }

    /// <summary>Copies from within a range that is held.</summary>
    public int Copy(long offset, Span<byte> into)
    {
        var from = _pieces[offset / StoredContent.PieceBytes].AsSpan((int)(offset % StoredContent.PieceBytes));
        var count = Math.Min(from.Length, into.Length);
        from[..count].CopyTo(into);
        return count;
    }

    /// <summary>In order, apart from one another: those that the new one meets become one with it.</summary>
    private static List<ByteRange> Add(List<ByteRange> ranges, ByteRange added)
    {
        var (start, end) = (added.Start, added.Start + added.Length);
        var result = new List<ByteRange>(ranges.Count + 1);
        foreach (var range in ranges)
        {
            if (range.Start <= end && start <= range.Start + range.Length)
            {
                (start, end) = (Math.Min(start, range.Start), Math.Max(end, range.Start + range.Length));
            }
            else
            {
                result.Add(range);
            }
        }

        var index = result.FindIndex(range => range.Start > start);
        result.Insert(index < 0 ? result.Count : index, new ByteRange(start, end - start));
        return result;
    }
}
