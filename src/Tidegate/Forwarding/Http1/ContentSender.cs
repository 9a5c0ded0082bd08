using System.Buffers;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>
/// Sends a request whose head stands in the connection's buffer. Content that the client has sent already leaves with the head, in one piece; the rest follows as
/// it arrives, beside the reading of the answer. An upstream that stops reading is no failure here: it may have answered, and whoever reads the answer will know.
/// </summary>
internal sealed class ContentSender(PhaseClock clock)
{
    // One TLS record (RFC 8446 5.1): larger reads are cut up again by TLS on either side.
    private const int PieceBytes = 16 * 1024;

    // While the client's content comes faster than this is filled, it is collected: four pieces in one system call. A pause sends what is there.
    private const int MaxHeldBytes = 64 * 1024;

    private Exchange _exchange = null!;
    private UpstreamConnection _connection = null!;
    private CancellationTokenSource? _givenUp;
    private ValueTask _sending;
    private long _began;
    private long _remaining;
    private bool _isChunked;
    private bool _isDetached;
    private bool _isBroken;

    /// <summary>The request was sent to its end.</summary>
    public bool IsSent { get; private set; }

    /// <summary>The client's content was asked for, so that it cannot be sent a second time.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>What was wrong with the client's content.</summary>
    public Failure? ClientFailure { get; private set; }

    /// <summary>It went on beside the answer, and <see cref="End"/> or <see cref="StopAsync"/> is due.</summary>
    public bool IsRunning { get; private set; }

    /// <summary>Nobody reads the client's content any more.</summary>
    public bool HasEnded => !IsRunning || _sending.IsCompleted;

    /// <summary>Sends what there is; goes on by itself when more must follow.</summary>
    public void Begin(Exchange exchange, UpstreamConnection connection, long now)
    {
        _exchange = exchange;
        _connection = connection;
        _began = now;
        _isDetached = false;
        _isBroken = false;
        IsSent = false;
        ClientFailure = null;
        exchange.Timings.ContentSent = 0;
        HasBegun = !exchange.RequestBody.IsEmpty;
        if (HasBegun)
        {
            Keep(SendContentAsync());
        }
        else
        {
            Keep(SendHeadAsync());
        }
    }

    /// <summary>Takes note that it has ended.</summary>
    public void End()
    {
        if (IsRunning)
        {
            IsRunning = false;
            _sending.GetAwaiter().GetResult();
        }
    }

    /// <summary>Stops it where it is, and waits until nobody reads the client's content any more.</summary>
    public async ValueTask StopAsync()
    {
        if (!IsRunning)
        {
            return;
        }

        IsRunning = false;
        if (_givenUp is not null && !_sending.IsCompleted)
        {
            await _givenUp.CancelAsync();
        }

        await _sending;
        if (_givenUp is { IsCancellationRequested: true })
        {
            _givenUp.Dispose();
            _givenUp = null;
        }
    }

    private ValueTask SendHeadAsync()
    {
        var flushing = FlushAsync();
        if (!flushing.IsCompletedSuccessfully)
        {
            return EndHeadAsync(flushing);
        }

        Sent();
        return flushing;
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask EndHeadAsync(ValueTask flushing)
    {
        await flushing;
        Sent();
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask SendContentAsync()
    {
        var body = _exchange.RequestBody;
        _isChunked = body.Length is null;
        _remaining = body.Length ?? long.MaxValue;
        _givenUp ??= new CancellationTokenSource();
        var output = _connection.Output;
        var piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            // The head is held at first. While anything is held it must be possible to send it, so the next piece is read elsewhere, and put behind it if it is there at once.
            var held = 1;
            while (_remaining > 0)
            {
                var isDirect = held == 0;
                var room = isDirect ? Room(output.GetMemory(PieceBytes)) : piece;
                var reading = body.ReadAsync(room, _givenUp.Token);
                if (!reading.IsCompleted)
                {
                    Detach();
                }

                if (held >= MaxHeldBytes || (held > 0 && !reading.IsCompleted))
                {
                    await FlushAsync();
                    held = 0;
                }

                var read = await reading;
                if (_isBroken)
                {
                    return;
                }

                if (read == 0)
                {
                    _remaining = _isChunked ? 0 : throw new InvalidOperationException("Less content than its length announced.");
                    continue;
                }

                Write(piece, read, isDirect);
                held += read;
            }

            if (_isChunked)
            {
                RequestWriter.WriteEnd(body.Trailers, output);
            }

            await FlushAsync();
            Sent();
        }
        catch (MessageBodyException broken)
        {
            GiveUp(broken.Failure);
        }
        catch (OperationCanceledException) when (_givenUp.IsCancellationRequested)
        {
            // The exchange is over and nobody wants the rest.
            return;
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            GiveUp(UpstreamFailures.ClientGone);
        }
        catch
        {
            // A bug: whoever waits for the answer must not wait for the timeout; End tells what it was.
            _connection.Abort();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    private void Keep(ValueTask sending)
    {
        _sending = sending;
        IsRunning = !sending.IsCompleted;
        if (!IsRunning)
        {
            _sending.GetAwaiter().GetResult();
        }
    }

    private Memory<byte> Room(Memory<byte> memory) => _isChunked
        ? memory.Slice(RequestWriter.ChunkPrefixBytes, Math.Min(memory.Length - RequestWriter.ChunkPrefixBytes - RequestWriter.ChunkSuffixBytes, RequestWriter.MaxChunkBytes))
        : memory;

    private void Write(byte[] piece, int read, bool isDirect)
    {
        _exchange.RequestBodyBytes += read;
        if (!_isChunked && (_remaining -= read) < 0)
        {
            throw new InvalidOperationException("More content than its length announced.");
        }

        var output = _connection.Output;
        if (!isDirect)
        {
            RequestWriter.WriteContent(piece.AsSpan(0, read), _isChunked, output);
        }
        else if (_isChunked)
        {
            RequestWriter.FrameChunk(output.GetSpan(PieceBytes), read);
            output.Advance(RequestWriter.ChunkPrefixBytes + read + RequestWriter.ChunkSuffixBytes);
        }
        else
        {
            output.Advance(read);
        }
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask FlushAsync()
    {
        _exchange.WasSent = true;
        try
        {
            var flushing = _connection.Output.FlushAsync();
            if (!flushing.IsCompleted)
            {
                Detach();
            }

            var result = await flushing;
            _isBroken |= result.IsCompleted || result.IsCanceled;
        }
        catch (Exception broken) when (UpstreamConnection.IsBreak(broken))
        {
            _isBroken = true;
        }

        if (_isDetached)
        {
            clock.ContentMoves();
        }
    }

    // From here on the answer is waited for before the request is complete.
    private void Detach()
    {
        if (!_isDetached)
        {
            _isDetached = true;
            Volatile.Write(ref _exchange.Timings.ContentSent, HasBegun ? ExchangeTimings.NotYet : 0);
            clock.ContentFollows(_began);
        }
    }

    private void Sent()
    {
        IsSent = !_isBroken;
        if (_isDetached)
        {
            // Whoever has the answer meanwhile looks at this once, and finds that it came before, or the time.
            Volatile.Write(ref _exchange.Timings.ContentSent, clock.ContentSent());
        }
        else
        {
            clock.RequestSent(_began);
        }
    }

    private void GiveUp(Failure failure)
    {
        ClientFailure = failure;
        _connection.Abort();
    }
}
