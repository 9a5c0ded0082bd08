using System.Buffers;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>The content of a POST that the configuration calls a read. It is read whole, becomes a part of the key, and can still be sent.</summary>
internal static class KeyedContent
{
    /// <summary>Larger content is no question that is asked twice.</summary>
    public const int MaxBytes = 64 * 1024;

    private static readonly Failure ClientLeft = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away before its content had come.");

    /// <summary>Reads the content and puts a body in its place that begins with what was read.</summary>
    /// <returns>All of it; null when it is too large, or when it broke: then the exchange has failed.</returns>
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Exchange exchange)
    {
        var body = exchange.RequestBody;
        if (body.Length > MaxBytes)
        {
            return null;
        }

        // One byte more tells content that is just small enough from content that is not.
        var buffer = ArrayPool<byte>.Shared.Rent(MaxBytes + 1);
        try
        {
            var length = 0;
            int read;
            do
            {
                read = await body.ReadAsync(buffer.AsMemory(length, MaxBytes + 1 - length), exchange.Aborted);
                length += read;
            }
            while (read > 0 && length <= MaxBytes);

            var content = buffer.AsSpan(0, length).ToArray();
            var isWhole = length <= MaxBytes && body.Trailers is not { Count: > 0 };

            // The client's body belongs to its connection; a request in the background may outlive it.
            exchange.RequestBody = new BegunBody(content, isWhole ? null : body, isComplete: read == 0);
            return isWhole ? content : null;
        }
        catch (MessageBodyException broken)
        {
            exchange.Fail(broken.Failure);
            return null;
        }
        catch (OperationCanceledException) when (exchange.Aborted.IsCancellationRequested)
        {
            exchange.Fail(ClientLeft);
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }
}
