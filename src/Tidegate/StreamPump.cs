using System.Buffers;
using System.Net.Sockets;
using Tidegate.Exchanges;

namespace Tidegate;

/// <summary>Carries the bytes of a tunnel or an upgraded connection both ways until one side is done.</summary>
internal static class StreamPump
{
    // One TLS record, so that a tunnel's records are not cut up.
    private const int BufferBytes = 16 * 1024;

    /// <summary>Ends when the upstream ends, or the client goes away; a client's half-close is passed on.</summary>
    public static async ValueTask RunAsync(Exchange exchange, Stream client, Stream upstream)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(exchange.Aborted);
        var sending = SendAsync(exchange, client, upstream, ended.Token);
        try
        {
            await CopyAsync(upstream, client, bytes => exchange.ResponseBodyBytes += bytes, ended.Token);
        }
        finally
        {
            await ended.CancelAsync();
            await sending;
        }
    }

    private static async Task SendAsync(Exchange exchange, Stream client, Stream upstream, CancellationToken cancellationToken)
    {
        try
        {
            await CopyAsync(client, upstream, bytes => exchange.RequestBodyBytes += bytes, cancellationToken);
            if (upstream is NetworkStream network)
            {
                network.Socket.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception over) when (over is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The other direction sees the same end and decides what it means for the exchange.
            return;
        }
    }

    private static async ValueTask CopyAsync(Stream from, Stream to, Action<int> count, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (await from.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                await to.FlushAsync(cancellationToken);
                count(read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
