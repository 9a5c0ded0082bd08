using System.Buffers;
using System.Net.Sockets;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;

namespace Tidegate;

/// <summary>Carries the bytes of a tunnel or an upgraded connection both ways until one side is done, or neither has sent anything for too long.</summary>
internal sealed class StreamPump : IDisposable
{
    private static readonly Failure Idle = new(FailureSource.Upstream, FailureKind.IdleTimeout, Retryable: false, "Nothing came from either side within the idle timeout.");
    private static readonly Failure UpstreamReset = new(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "The upstream broke the connection.");

    // A client that is done sending may still wait for an answer; one that is gone looks the same, and must not hold the upstream for long.
    private static readonly TimeSpan HalfClosedLimit = TimeSpan.FromSeconds(60);

    // One TLS record, so that a tunnel's records are not cut up.
    private const int BufferBytes = 16 * 1024;

    private readonly Exchange _exchange;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _ended = new();
    private TimeSpan _limit;
    private long _lastBytes;
    private volatile ClientEnd _client;

    private StreamPump(Exchange exchange, TimeProvider time)
    {
        _exchange = exchange;
        _time = time;
        _limit = exchange.IdleTimeout;
        _lastBytes = time.GetTimestamp();

        // Looks when the tunnel could be idle at the earliest, instead of being set anew with every byte.
        _timer = time.CreateTimer(static pump => ((StreamPump)pump!).EndWhenIdle(), this, _limit, Timeout.InfiniteTimeSpan);
    }

    private enum ClientEnd
    {
        NotYet,
        Proper,
        Broken,
    }

    /// <summary>Ends when the upstream ends, or the client goes away; a client's half-close is passed on where the upstream's stream can.</summary>
    /// <exception cref="MessageBodyException">Nothing came for <see cref="Exchange.IdleTimeout"/>, or the upstream broke the connection.</exception>
    /// <exception cref="IOException">The client broke it.</exception>
    public static async ValueTask RunAsync(Exchange exchange, Stream client, Stream upstream, TimeProvider time)
    {
        using var pump = new StreamPump(exchange, time);
        await pump.RunAsync(client, upstream);
    }

    public void Dispose()
    {
        _timer.Dispose();
        _ended.Dispose();
    }

    private async ValueTask RunAsync(Stream client, Stream upstream)
    {
        var sending = SendAsync(client, upstream);
        try
        {
            await ReceiveAsync(client, upstream);
        }
        catch (OperationCanceledException) when (_client == ClientEnd.Proper)
        {
            // The client is done and this upstream cannot be told so otherwise: the end of both.
            return;
        }
        catch (OperationCanceledException over)
        {
            throw _client == ClientEnd.Broken || !_ended.IsCancellationRequested ? new IOException("The client broke the connection.", over) : new MessageBodyException(Idle, over);
        }
        finally
        {
            await _timer.DisposeAsync();
            await _ended.CancelAsync();
            await sending;
        }
    }

    private void EndWhenIdle()
    {
        var left = _limit - _time.GetElapsedTime(Volatile.Read(ref _lastBytes));
        if (left <= TimeSpan.Zero)
        {
            _ended.Cancel();
        }
        else
        {
            _timer.Change(left, Timeout.InfiniteTimeSpan);
        }
    }

    private async Task ReceiveAsync(Stream client, Stream upstream)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (await ReadUpstreamAsync(upstream, buffer) is > 0 and var read)
            {
                Volatile.Write(ref _lastBytes, _time.GetTimestamp());
                await client.WriteAsync(buffer.AsMemory(0, read), _ended.Token);
                await client.FlushAsync(_ended.Token);
                _exchange.ResponseBodyBytes += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask<int> ReadUpstreamAsync(Stream upstream, byte[] buffer)
    {
        try
        {
            return await upstream.ReadAsync(buffer, _ended.Token);
        }
        catch (Exception broken) when (broken is IOException || (broken is OperationCanceledException && !_ended.IsCancellationRequested))
        {
            throw new MessageBodyException(UpstreamReset, broken);
        }
    }

    private async Task SendAsync(Stream client, Stream upstream)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (await ReadClientAsync(client, buffer) is > 0 and var read)
            {
                Volatile.Write(ref _lastBytes, _time.GetTimestamp());
                await upstream.WriteAsync(buffer.AsMemory(0, read), _ended.Token);
                await upstream.FlushAsync(_ended.Token);
                _exchange.RequestBodyBytes += read;
            }

            if (_client == ClientEnd.Proper && upstream is ConnectionStream connection)
            {
                await connection.CompleteWritesAsync();
                if (HalfClosedLimit < _limit)
                {
                    _limit = HalfClosedLimit;
                    _timer.Change(_limit, Timeout.InfiniteTimeSpan);
                }
            }
            else if (_client != ClientEnd.NotYet)
            {
                await _ended.CancelAsync();
            }
        }
        catch (Exception over) when (over is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The upstream takes no more: the other direction sees its end and decides what that means for the exchange.
            return;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask<int> ReadClientAsync(Stream client, byte[] buffer)
    {
        try
        {
            var read = await client.ReadAsync(buffer, _ended.Token);
            _client = read == 0 ? ClientEnd.Proper : ClientEnd.NotYet;
            return read;
        }
        catch (Exception broken) when (broken is IOException || (broken is OperationCanceledException && !_ended.IsCancellationRequested))
        {
            _client = ClientEnd.Broken;
            return 0;
        }
    }
}
