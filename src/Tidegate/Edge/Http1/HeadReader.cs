using System.Buffers;

namespace Tidegate.Edge.Http1;

/// <summary>What the bytes received so far are.</summary>
internal enum HeadState
{
    /// <summary>The end is not there yet.</summary>
    Incomplete,

    Complete,

    /// <summary>A line ends in something else than CR LF: nobody may be left to guess where it ends (RFC 9112 2.2 lets us refuse).</summary>
    BadLineEnd,

    TooLarge,
}

/// <summary>Finds the end of a message head, line by line, in whatever pieces it arrives.</summary>
internal static class HeadReader
{
    /// <summary>Looks for the empty line.</summary>
    /// <param name="buffer">From the first byte of the request line.</param>
    /// <param name="maxBytes">Of the whole head.</param>
    /// <param name="length">Of the head with its empty line, when complete.</param>
    public static HeadState Find(ReadOnlySequence<byte> buffer, int maxBytes, out int length)
    {
        // Nearly every head arrives whole and in one piece; its lines are judged by the parser.
        var first = buffer.FirstSpan;
        var end = first.IndexOf("\r\n\r\n"u8);
        if (end >= 0)
        {
            length = end + 4;
            return length <= maxBytes ? HeadState.Complete : HeadState.TooLarge;
        }

        var reader = new SequenceReader<byte>(buffer);
        length = 0;
        while (reader.TryReadTo(out ReadOnlySequence<byte> line, (byte)'\n'))
        {
            if (line.IsEmpty || line.Slice(line.Length - 1).FirstSpan[0] != '\r' || HasCarriageReturn(line.Slice(0, line.Length - 1)))
            {
                return HeadState.BadLineEnd;
            }

            if (reader.Consumed > maxBytes)
            {
                return HeadState.TooLarge;
            }

            if (line.Length == 1)
            {
                length = (int)reader.Consumed;
                return HeadState.Complete;
            }
        }

        return buffer.Length > maxBytes ? HeadState.TooLarge : HeadState.Incomplete;
    }

    /// <summary>RFC 9112 2.2: one empty line before a request line is passed over, because old clients send one after a body.</summary>
    public static ReadOnlySequence<byte> SkipEmptyLine(ReadOnlySequence<byte> buffer)
    {
        if (buffer.FirstSpan is [not (byte)'\r', ..])
        {
            return buffer;
        }

        var reader = new SequenceReader<byte>(buffer);
        return reader.IsNext("\r\n"u8, advancePast: true) ? reader.UnreadSequence : buffer;
    }

    private static bool HasCarriageReturn(ReadOnlySequence<byte> line) => line.PositionOf((byte)'\r') is not null;
}
