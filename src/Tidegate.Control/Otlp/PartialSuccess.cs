namespace Tidegate.Control.Otlp;

/// <summary>Reads the one thing that an export's reply can say: of what was sent, some was not kept.</summary>
internal static class PartialSuccess
{
    /// <summary>ExportTraceServiceResponse or its sibling: field 1 is a message, whose field 1 counts. Anything that is not that is 0.</summary>
    public static long Rejected(ReadOnlySpan<byte> reply)
    {
        while (ProtobufFields.TryTake(ref reply, out var field, out _, out var partial))
        {
            while (field == 1 && ProtobufFields.TryTake(ref partial, out var inner, out var number, out _))
            {
                if (inner == 1)
                {
                    return (long)number;
                }
            }
        }

        return 0;
    }
}
