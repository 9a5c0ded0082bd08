using System.Buffers;
using System.Net;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>The client's content, streamed to the upstream as it arrives and never buffered whole.</summary>
internal sealed class RequestContent(Exchange exchange, Attempt attempt, TimeProvider time) : HttpContent
{
    // One TLS record (RFC 8446 5.1): larger reads are cut up again by TLS on either side.
    private const int BufferBytes = 16 * 1024;

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _started;

    /// <summary>Nobody reads the client's body any more.</summary>
    public Task Ended => Volatile.Read(ref _started) == 0 ? Task.CompletedTask : _ended.Task;

    protected override bool TryComputeLength(out long length)
    {
        length = exchange.RequestBody.Length ?? -1;
        return length >= 0;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, default);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _started, 1) == 1)
        {
            // The handler would send the rest of the content as if it were the whole.
            attempt.IsTurnedAway = true;
            throw new IOException("The client's content is read once.");
        }

        Volatile.Write(ref exchange.Timings.ContentSent, ExchangeTimings.NotYet);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            var body = exchange.RequestBody;
            while (true)
            {
                attempt.Arm(FailureKind.IdleTimeout, attempt.Timeouts.Idle);
                var read = await body.ReadAsync(buffer, attempt.Token);
                if (read == 0)
                {
                    break;
                }

                exchange.RequestBodyBytes += read;
                await stream.WriteAsync(buffer.AsMemory(0, read), attempt.Token);

                // What has arrived leaves now: the upstream may be waiting for just this message of a stream.
                if (exchange.RequestBodyBytes != body.Length)
                {
                    await stream.FlushAsync(attempt.Token);
                }
            }

            Volatile.Write(ref exchange.Timings.ContentSent, time.GetTimestamp());
            attempt.Arm(FailureKind.ResponseHeadersTimeout, attempt.Timeouts.ResponseHeaders);
        }
        catch (MessageBodyException broken)
        {
            attempt.RequestBodyFailure = broken.Failure;
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            _ended.TrySetResult();
        }
    }
}
