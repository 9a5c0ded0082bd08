namespace Tidegate.Control.Otlp;

/// <summary>Reads of a google.rpc.Status whether the server says that it recovers, and when.</summary>
internal static class RetryInfo
{
    // Nobody waits that long; beyond it numbers overflow. A negative number says nothing.
    private const long MostSeconds = 1_000_000_000;

    private const long MostNanoseconds = 999_999_999;

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

    /// <summary>RetryInfo.retry_delay is field 1, a Duration: seconds in field 1, nanoseconds in field 2. Of what is there more than once the last holds, as everywhere in protobuf.</summary>
    private static TimeSpan Delay(ReadOnlySpan<byte> info)
    {
        var (seconds, nanoseconds) = (0L, 0L);
        while (ProtobufFields.TryTake(ref info, out var field, out _, out var duration))
        {
            while (field == 1 && ProtobufFields.TryTake(ref duration, out var part, out var number, out _))
            {
                seconds = part == 1 ? Math.Clamp((long)number, 0, MostSeconds) : seconds;
                nanoseconds = part == 2 ? Math.Clamp((long)number, 0, MostNanoseconds) : nanoseconds;
            }
        }

        return TimeSpan.FromTicks((seconds * TimeSpan.TicksPerSecond) + (nanoseconds / TimeSpan.NanosecondsPerTick));
    }
}
