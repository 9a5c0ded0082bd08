using Tidegate.Exchanges;

namespace Tidegate.Forwarding.Http1;

/// <summary>Chunked framing (RFC 9112 7.1), removed piece by piece, however the pieces are cut.</summary>
internal struct ChunkedContent
{
    /// <summary>A size with its extensions, which are read and thrown away; enough for any real one.</summary>
    private const int MaxSizeLineBytes = 256;

    private long _remaining;
    private State _state;
    private int _trailerBytes;

    private enum State : byte
    {
        Size,
        Data,
        DataEnd,
        Trailers,
        Ended,
        Broken,
    }

    /// <summary>The last chunk and the trailers were read.</summary>
    public readonly bool IsEnded => _state == State.Ended;

    /// <summary>Takes content out of what has arrived.</summary>
    /// <param name="source">From the first byte that was not consumed yet.</param>
    /// <param name="destination">Where content goes, at least one byte.</param>
    /// <param name="trailers">Made when there is one.</param>
    /// <param name="consumed">Bytes of the source that are dealt with.</param>
    /// <returns>Bytes written to the destination; -1 when the framing is malformed. What came before the defect is given first, however the pieces are cut.</returns>
    public int Take(ReadOnlySpan<byte> source, Span<byte> destination, ref HeaderList? trailers, out int consumed)
    {
        consumed = 0;
        var written = 0;
        while (_state != State.Ended)
        {
            var rest = source[consumed..];
            if (_state == State.Data)
            {
                var count = (int)Math.Min(Math.Min(rest.Length, destination.Length - written), _remaining);
                rest[..count].CopyTo(destination[written..]);
                consumed += count;
                written += count;
                _remaining -= count;
                if (_remaining > 0)
                {
                    return written;
                }

                _state = State.DataEnd;
                continue;
            }

            var end = rest.IndexOf((byte)'\n');
            if (end < 0 && rest.Length <= MaxLineBytes && _state != State.Broken)
            {
                return written;
            }

            if (_state == State.Broken || end <= 0 || end > MaxLineBytes || rest[end - 1] != '\r' || !ReadLine(rest[..(end - 1)], ref trailers))
            {
                _state = State.Broken;
                return written > 0 ? written : -1;
            }

            consumed += end + 1;
        }

        return written;
    }

    private readonly int MaxLineBytes => _state == State.Trailers ? ResponseHead.MaxBytes - _trailerBytes : MaxSizeLineBytes;

    private bool ReadLine(ReadOnlySpan<byte> line, ref HeaderList? trailers)
    {
        switch (_state)
        {
            case State.DataEnd:
                _state = State.Size;
                return line.IsEmpty;
            case State.Size:
                _state = TrySize(line, out _remaining) && _remaining > 0 ? State.Data : State.Trailers;
                return _remaining >= 0;
            default:
                return ReadTrailer(line, ref trailers);
        }
    }

    private bool ReadTrailer(ReadOnlySpan<byte> line, ref HeaderList? trailers)
    {
        if (line.IsEmpty)
        {
            _state = State.Ended;
            return true;
        }

        _trailerBytes += line.Length + 2;
        if (trailers?.Count == ResponseHead.MaxFields || !FieldSyntax.TrySplit(line, out var name, out var value))
        {
            return false;
        }

        var known = KnownHeaders.Identify(name);
        if (!FieldSyntax.IsOfTheConnection(known))
        {
            (trailers ??= new HeaderList()).Add(new HeaderField(known, name, value));
        }

        return true;
    }

    /// <summary>Hex digits, then nothing or extensions. White space around them is refused: peers disagree about it. -1 when it is no size.</summary>
    private static bool TrySize(ReadOnlySpan<byte> line, out long size)
    {
        var semicolon = line.IndexOf((byte)';');
        var digits = semicolon < 0 ? line : line[..semicolon];
        size = -1;
        if (digits.IsEmpty || digits.Length > 15 || FieldSyntax.HasControl(line))
        {
            return false;
        }

        long value = 0;
        foreach (var digit in digits)
        {
            if (!char.IsAsciiHexDigit((char)digit))
            {
                return false;
            }

            value = (value << 4) | (uint)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }

        size = value;
        return true;
    }
}
