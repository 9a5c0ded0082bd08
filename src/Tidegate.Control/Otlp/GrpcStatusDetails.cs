namespace Tidegate.Control.Otlp;

/// <summary>Reads of <c>grpc-status-details-bin</c> whether the server says when to try again.</summary>
internal static class GrpcStatusDetails
{
    private static ReadOnlySpan<byte> RetryInfo => "/google.rpc.RetryInfo"u8;

    /// <param name="details">The field's value: a google.rpc.Status in base64, with or without its padding; null: there is none.</param>
    public static bool HasRetryInfo(string? details)
    {
        if (details is null)
        {
            return false;
        }

        var padded = details.TrimEnd('=');
        padded = padded.PadRight((padded.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length];
        if (!Convert.TryFromBase64String(padded, bytes, out var length))
        {
            return false;
        }

        // Status.details is field 3, each an Any, whose field 1 is the type's URL.
        ReadOnlySpan<byte> status = bytes.AsSpan(0, length);
        while (ProtobufFields.TryTake(ref status, out var field, out _, out var any))
        {
            while (field == 3 && ProtobufFields.TryTake(ref any, out var inner, out _, out var type))
            {
                if (inner == 1 && type.EndsWith(RetryInfo))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
