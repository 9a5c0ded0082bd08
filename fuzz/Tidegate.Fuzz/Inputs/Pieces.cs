using System.Buffers;

namespace Tidegate.Fuzz.Inputs;

/// <summary>Bytes as a network delivers them: cut anywhere.</summary>
internal static class Pieces
{
    // Readers look at everything again with each piece: more of them would only take longer.
    private const int MostPieces = 400;

    /// <summary>Cuts into pieces of at least one byte; sometimes each byte alone, sometimes not at all.</summary>
    public static IReadOnlyList<byte[]> Cut(byte[] input, Random random)
    {
        var pieces = new List<byte[]>();
        var longest = random.Next(5) switch
        {
            0 => 1,
            1 => 4,
            2 => 40,
            3 => 400,
            _ => Math.Max(1, input.Length),
        };
        for (var at = 0; at < input.Length;)
        {
            var length = Math.Min(Math.Max(random.Next(1, longest + 1), input.Length / MostPieces), input.Length - at);
            pieces.Add(input[at..(at + length)]);
            at += length;
        }

        return pieces;
    }

    /// <summary>One sequence with a segment for each piece.</summary>
    public static ReadOnlySequence<byte> Chain(IEnumerable<byte[]> pieces)
    {
        Segment? first = null, last = null;
        foreach (var piece in pieces)
        {
            last = new Segment(piece, last);
            first ??= last;
        }

        return first is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(first, 0, last!, last!.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] piece, Segment? before)
        {
            Memory = piece;
            if (before is not null)
            {
                RunningIndex = before.RunningIndex + before.Memory.Length;
                before.Next = this;
            }
        }
    }
}
