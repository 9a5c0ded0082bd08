namespace Tidegate.Exchanges;

/// <summary>
/// An exchange's place in a distributed trace (W3C Trace Context). Numbers instead of text, so that carrying it allocates nothing.
/// <c>default</c> means that there is no trace.
/// </summary>
/// <param name="TraceIdHigh">The first eight bytes of the trace id, as a big-endian number.</param>
/// <param name="TraceIdLow">The last eight.</param>
/// <param name="SpanId">The gateway's own span; 0 when it adds none.</param>
/// <param name="ParentSpanId">The span that the client called from; 0 when the trace begins here.</param>
/// <param name="Flags">The flags that are known: <see cref="SampledFlag"/> and <see cref="RandomFlag"/>.</param>
public readonly record struct TraceContext(ulong TraceIdHigh, ulong TraceIdLow, ulong SpanId, ulong ParentSpanId, byte Flags)
{
    /// <summary>Whoever called us records this trace (Trace Context 3.2.2.5).</summary>
    public const byte SampledFlag = 1;

    /// <summary>The trace id is random (Trace Context level 2, 3.2.2.5.2); passed on, because others sample by it.</summary>
    public const byte RandomFlag = 2;

    /// <summary>The length of a <c>traceparent</c> of version 00, and the least length of any later version.</summary>
    public const int Length = 55;

    /// <summary>Whether there is a trace.</summary>
    public bool IsValid => (TraceIdHigh | TraceIdLow) != 0;

    /// <summary>Whether the gateway adds a span of its own.</summary>
    public bool HasSpan => SpanId != 0;

    /// <summary>Whether the trace is being recorded.</summary>
    public bool IsSampled => (Flags & SampledFlag) != 0;

    /// <summary>32 lower-case hex digits.</summary>
    public string TraceId => string.Create(null, stackalloc char[32], $"{TraceIdHigh:x16}{TraceIdLow:x16}");

    /// <summary>
    /// Reads a <c>traceparent</c> (Trace Context 3.2). Anything but lower-case hex of the right length, a zero id, or version <c>ff</c> is
    /// no context. Of a version above 00 only what version 00 knows is read, and something may follow after a further hyphen.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> value, out TraceContext context)
    {
        context = default;
        if (value.Length < Length || value[2] != '-' || value[35] != '-' || value[52] != '-'
            || !TryHex(value[..2], out var version) || version == 0xff
            || (version == 0 ? value.Length != Length : value.Length > Length && value[Length] != '-')
            || !TryHex(value[3..19], out var high) || !TryHex(value[19..35], out var low) || (high | low) == 0
            || !TryHex(value[36..52], out var parent) || parent == 0
            || !TryHex(value[53..55], out var flags))
        {
            return false;
        }

        context = new TraceContext(high, low, 0, parent, (byte)(flags & (SampledFlag | RandomFlag)));
        return true;
    }

    /// <summary>Writes the <c>traceparent</c> that makes the gateway's span, or without one the client's, the parent of whoever reads it.</summary>
    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    public void Format(Span<byte> destination)
    {
        "00-"u8.CopyTo(destination);
        Hex(TraceIdHigh, destination.Slice(3, 16));
        Hex(TraceIdLow, destination.Slice(19, 16));
        destination[35] = (byte)'-';
        Hex(HasSpan ? SpanId : ParentSpanId, destination.Slice(36, 16));
        destination[52] = (byte)'-';
        Hex(Flags, destination.Slice(53, 2));
    }

    private static bool TryHex(ReadOnlySpan<byte> digits, out ulong number)
    {
        number = 0;
        foreach (var digit in digits)
        {
            var value = digit switch
            {
                >= (byte)'0' and <= (byte)'9' => digit - '0',
                >= (byte)'a' and <= (byte)'f' => digit - 'a' + 10,
                _ => -1,
            };
            if (value < 0)
            {
                return false;
            }

            number = (number << 4) | (uint)value;
        }

        return true;
    }

    private static void Hex(ulong number, Span<byte> digits)
    {
        for (var i = digits.Length - 1; i >= 0; i--, number >>= 4)
        {
            digits[i] = "0123456789abcdef"u8[(int)(number & 15)];
        }
    }
}
