namespace Tidegate.Control.Otlp;

/// <summary>Reads the one thing that an export's reply can say: of what was sent, some was not kept.</summary>
internal static class PartialSuccess
{
    /// <summary>ExportTraceServiceResponse or its sibling: field 1 is a message, whose field 1 counts. Anything that is not that is 0.</summary>
    public static long Rejected(ReadOnlySpan<byte> reply)
    {
        var isNested = false;
        while (TryVarint(ref reply, out var tag))
        {
            switch ((int)(tag & 7))
            {
                case 0:
                    if (!TryVarint(ref reply, out var number))
                    {
                        return 0;
                    }

                    if (isNested && tag >> 3 == 1)
                    {
                        return (long)number;
                    }

                    break;
                case 2:
                    if (!TryVarint(ref reply, out var length) || length > (ulong)reply.Length)
                    {
                        return 0;
                    }

                    if (!isNested && tag >> 3 == 1)
                    {
                        reply = reply[..(int)length];
                        isNested = true;
                        break;
                    }

                    reply = reply[(int)length..];
                    break;
                default:
                    return 0;
            }
        }

        return 0;
    }

    private static bool TryVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (var i = 0; i < bytes.Length && i < 10; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return true;
            }
        }

        return false;
    }
}
