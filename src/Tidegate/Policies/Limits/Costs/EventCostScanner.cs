namespace Tidegate.Policies.Limits.Costs;

/// <summary>Looks for a number in the data of server-sent events: each event's data is a document of its own, and the last that has the number counts.</summary>
internal sealed class EventCostScanner(JsonCostScanner scanner)
{
    private static ReadOnlySpan<byte> Data => "data:"u8;

    // How much of "data:" the line has begun with; -1 for a line that is about something else.
    private int _begun;
    private bool _afterReturn;

    public void Read(ReadOnlySpan<byte> piece)
    {
        while (!piece.IsEmpty)
        {
            if (_begun == Data.Length)
            {
                var end = piece.IndexOfAny((byte)'\n', (byte)'\r');
                scanner.Read(end < 0 ? piece : piece[..end]);
                piece = end < 0 ? default : piece[end..];
                if (end >= 0)
                {
                    EndLine(ref piece);
                }

                continue;
            }

            var octet = piece[0];
            if (octet is (byte)'\n' or (byte)'\r')
            {
                EndLine(ref piece);
                continue;
            }

            _afterReturn = false;
            _begun = _begun >= 0 && Data[_begun] == octet ? _begun + 1 : -1;
            piece = piece[1..];
        }
    }

    /// <summary>Lines end with CR LF, LF or CR; an empty one ends the event.</summary>
    private void EndLine(ref ReadOnlySpan<byte> piece)
    {
        var isRest = piece[0] == (byte)'\n' && _afterReturn;
        _afterReturn = piece[0] == (byte)'\r';
        piece = piece[1..];
        if (isRest)
        {
            return;
        }

        scanner.End();
        if (_begun == 0)
        {
            scanner.Restart();
        }

        _begun = 0;
    }
}
