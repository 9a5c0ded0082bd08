namespace Tidegate.Control.Otlp;

/// <summary>Reads of a google.rpc.Status whether the server says that it recovers, and when.</summary>
internal static class RetryInfo
{
    // Nobody waits that long; beyond it numbers overflow.
    private const ulong MostSeconds = 1_000_000_000;

    private static ReadOnlySpan<byte> Type => "/google.rpc.RetryInfo"u8;

    /// <param name="details">The value of <c>grpc-status-details-bin</c>: the status in base64, with or without its padding; null: there is none.</param>
    /// <returns>How long nothing is to be sent, zero where that is not said; null: there is no RetryInfo.</returns>
    public static TimeSpan? Read(string? details)
    {
        if (details is null)
        {
            return null;
        }

        var padded = details.TrimEnd('=');
        padded = padded.PadRight((padded.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length];
        return Convert.TryFromBase64String(padded, bytes, out var length) ? Read(bytes.AsSpan(0, length)) : null;
    }

    /// <param name="status">The message.</param>
    /// <returns>As above.</returns>
    public static TimeSpan? Read(ReadOnlySpan<byte> status)
    {
        // Status.details is field 3, each an Any: field 1 is the type's URL, field 2 the message.
        while (ProtobufFields.TryTake(ref status, out var field, out _, out var any))
        {
            var isRetryInfo = false;
            ReadOnlySpan<byte> info = default;
            while (field == 3 && ProtobufFields.TryTake(ref any, out var inner, out _, out var content))
            {
                isRetryInfo |= inner == 1 && content.EndsWith(Type);
                info = inner == 2 ? content : info;
            }

            if (isRetryInfo)
            {
                return Delay(info);
            }
        }

        return null;
    }

    /// <summary>RetryInfo.retry_delay is field 1, a Duration: seconds in field 1, nanoseconds in field 2.</summary>
    private static TimeSpan Delay(ReadOnlySpan<byte> info)
    {
        var delay = TimeSpan.Zero;
        while (ProtobufFields.TryTake(ref info, out var field, out _, out var duration))
        {
            while (field == 1 && ProtobufFields.TryTake(ref duration, out var part, out var number, out _))
            {
                // A negative number says nothing.
                number = (long)number < 0 ? 0 : number;
                delay += part switch
                {
                    1 => TimeSpan.FromSeconds((long)Math.Min(number, MostSeconds)),
                    2 => TimeSpan.FromMicroseconds(Math.Min(number, 999_999_999) / 1000.0),
                    _ => TimeSpan.Zero,
                };
            }
        }

        return delay;
    }
}
