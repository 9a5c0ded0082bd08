using System.Diagnostics;
using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Transport;

/// <summary>
/// A connection's output, straight to the socket: a flush on the reactor sends at once, or where it is small before the turn ends, and is over when the kernel has everything; it waits while the
/// kernel's buffer is full, which is the back-pressure. From another thread it is posted, and what follows it runs on the reactor.
/// </summary>
internal sealed class SocketWriter<TCalls>(ReactorConnection<TCalls> connection) : PipeWriter, IValueTaskSource<FlushResult>
    where TCalls : struct, ISocketCalls
{
    // One call for a head, a body and a trailer in blocks of their own, several times over.
    private const int MaxParts = 16;

    // So that a sum of parts fits an int; the kernel takes no more in one call either.
    private const int MaxPartBytes = 1 << 30;

    // What is copied to be sent a little later: copying more would cost more than is saved.
    private const int MaxDeferredBytes = 4 * 1024;

    // Each holds a block, and leaves in one call with the others.
    private const int MaxDeferredFlushes = MaxParts;

    /// <summary>On the reactor: what was to be sent before the turn ends.</summary>
    public static readonly Action<object?> SendDeferred = static state =>
    {
        var writer = (SocketWriter<TCalls>)state!;
        writer._deferredBytes = 0;
        writer._deferredFlushes = 0;
        writer._isSendingDeferred = true;
        try
        {
            writer.Send(default);
        }
        finally
        {
            writer._isSendingDeferred = false;
        }

        writer.Continue();
    };

    private static readonly Action<object?> StartFlush = static state => ((SocketWriter<TCalls>)state!).Start();
    private static readonly Action<object?> ContinueFlush = static state => ((SocketWriter<TCalls>)state!).Continue();
    private static readonly Action<object?> ContinueLater = static state => ((SocketWriter<TCalls>)state!).PostContinue();
    private static readonly Action<object?> FinishOutput = static state => ((SocketWriter<TCalls>)state!).FinishSending();

    private readonly EpollReactor<TCalls> _reactor = connection.Reactor;

    // The writer's: written and not yet flushed.
    private Block? _head;
    private Block? _tail;
    private long _unflushed;
    private bool _wantsLarge;
    private bool _isCompleted;

    // A flush that waits. Its bytes are on their way from the writer to the reactor until it has arrived there.
    private Block? _handedOver;
    private int _cancels;
    private bool _isWaiting;
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private Completion _completion;

    // The reactor's: flushed and not yet sent.
    private Block? _sending;
    private Block? _sendingTail;
    private int _sentOfFirst;
    private int _deferredBytes;
    private int _deferredFlushes;
    private bool _isSendingDeferred;
    private bool _hasArrived;
    private bool _isParked;
    private bool _isFinishing;

    private enum SendState
    {
        Sent,

        /// <summary>The socket is full; readiness will be reported.</summary>
        Blocked,

        /// <summary>This turn's share is used up.</summary>
        Deferred,
    }

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _unflushed;

    /// <summary>On the reactor: completed, and everything is sent or lost.</summary>
    public bool IsDone { get; private set; }

    public override Memory<byte> GetMemory(int sizeHint = 0) => WritableBlock(sizeHint).Free;

    public override Span<byte> GetSpan(int sizeHint = 0) => WritableBlock(sizeHint).Free.Span;

    public override void Advance(int bytes)
    {
        if (bytes < 0 || bytes > (_tail?.Room ?? 0))
        {
            throw new ArgumentOutOfRangeException(nameof(bytes), "More than the memory that was given.");
        }

        if (bytes > 0)
        {
            _tail!.Fill(bytes);
            _unflushed += bytes;
        }
    }

    /// <summary>Sends what was written. Memory that was given before is not to be written to afterwards.</summary>
    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => FlushAsync(default, cancellationToken);

    /// <summary>Sends what was written and then the source, without copying what the kernel takes at once.</summary>
    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) => FlushAsync(source.Span, cancellationToken);

    public override void CancelPendingFlush()
    {
        Volatile.Write(ref _cancels, 1);
        PostContinue();
    }

    /// <summary>Sends what was written, then tells the peer that no more comes. With an exception the connection is reset instead, so that nobody takes a part for the whole.</summary>
    public override void Complete(Exception? exception = null)
    {
        if (_isCompleted)
        {
            return;
        }

        _isCompleted = true;
        if (exception is not null)
        {
            connection.Abort(exception as ConnectionAbortedException ?? new ConnectionAbortedException("The output was completed with an error.", exception));
        }

        if (_reactor.IsCurrent)
        {
            FinishSending();
        }
        else
        {
            _reactor.Post(FinishOutput, this);
        }
    }

    /// <summary>On the reactor: the socket takes more, or nothing any more.</summary>
    public void OnWritable() => Continue();

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token)
    {
        _completion.GetResult(token);
        return Result();
    }

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _completion.GetStatus(token, _reactor);

    void IValueTaskSource<FlushResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags, _reactor);

    private Block WritableBlock(int sizeHint)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        CheckNotCompleted();
        if (_tail is { } tail && tail.Room >= Math.Max(1, sizeHint))
        {
            return tail;
        }

        // Who has just filled a block goes on so; an event stream or a short answer is served with a small one.
        var block = BlockPool.Rent(Math.Max(sizeHint, _wantsLarge || _tail is not null ? Block.LargeBytes : Block.SmallBytes));
        if (_tail is null)
        {
            _head = block;
        }
        else
        {
            _tail.Append(block);
        }

        return _tail = block;
    }

    private void CheckNotCompleted()
    {
        if (_isCompleted)
        {
            throw new InvalidOperationException("Writing is not allowed after the writer was completed.");
        }
    }

    private FlushResult Result()
    {
        var isCanceled = Volatile.Read(ref _cancels) != 0 && Interlocked.Exchange(ref _cancels, 0) != 0;
        return new FlushResult(isCanceled, connection.IsGone);
    }

    private ValueTask<FlushResult> FlushAsync(ReadOnlySpan<byte> source, CancellationToken cancellationToken)
    {
        CheckNotCompleted();
        if (_isWaiting)
        {
            throw new InvalidOperationException("A flush is in progress: await it before the next.");
        }

        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        }

        _wantsLarge = _unflushed + source.Length >= Block.SmallBytes;
        var state = SendState.Deferred;
        if (_reactor.IsCurrent)
        {
            if (TryDefer(source))
            {
                return new ValueTask<FlushResult>(Result());
            }

            Commit(TakeWritten());
            state = Send(source);
        }
        else
        {
            for (var block = source.IsEmpty ? null : WritableBlock(0); !source.IsEmpty; block = WritableBlock(0))
            {
                var count = Math.Min(block!.Room, source.Length);
                source[..count].CopyTo(block.Free.Span);
                block.Fill(count);
                _unflushed += count;
                source = source[count..];
            }

            state = _unflushed == 0 ? SendState.Sent : SendState.Deferred;
            _handedOver = TakeWritten();
        }

        if (state == SendState.Sent)
        {
            return new ValueTask<FlushResult>(Result());
        }

        _completion.Reset();
        _token = cancellationToken;
        _isWaiting = true;
        var version = _completion.Version;
        if (state == SendState.Blocked)
        {
            _hasArrived = true;
            Park();
        }
        else
        {
            _reactor.Post(StartFlush, this);
        }

        return new ValueTask<FlushResult>(this, version);
    }

    /// <summary>Leaves a small flush for the end of the turn, when others have something to do before.</summary>
    private bool TryDefer(ReadOnlySpan<byte> source)
    {
        var bytes = (int)Math.Min(int.MaxValue, _unflushed) + source.Length;
        if (!_reactor.DefersSends || bytes == 0 || _deferredBytes + bytes > MaxDeferredBytes || _deferredFlushes == MaxDeferredFlushes || (_sending is not null && _deferredBytes == 0) || connection.IsFull || connection.IsGone)
        {
            return false;
        }

        if (_tail is { } tail && tail.Room >= source.Length)
        {
            source.CopyTo(tail.Free.Span);
            tail.Fill(source.Length);
            source = default;
        }

        Commit(TakeWritten());
        Queue(source);
        if (_deferredBytes == 0)
        {
            _reactor.Defer(this);
        }

        _deferredBytes += bytes;
        _deferredFlushes++;
        return true;
    }

    private Block? TakeWritten()
    {
        var written = _head;
        _head = _tail = null;
        _unflushed = 0;
        return written;
    }

    private void PostContinue() => _reactor.Post(ContinueFlush, this);

    private void Start()
    {
        _hasArrived = true;
        Commit(_handedOver);
        _handedOver = null;
        Continue();
    }

    private void FinishSending()
    {
        if (_deferredBytes > 0)
        {
            // It was flushed before the end was asked for, whatever kind of end that is.
            SendDeferred(this);
        }

        _isFinishing = true;
        Commit(_handedOver);
        Commit(TakeWritten());
        _handedOver = null;
        Continue();
    }

    /// <summary>On the reactor: sends what is there to send, also for nobody who waits, and ends what can end.</summary>
    private void Continue()
    {
        Debug.Assert(_reactor.IsCurrent, "continued on another thread");
        var state = Send(default);
        if (state == SendState.Deferred)
        {
            PostContinue();
        }

        if (_hasArrived)
        {
            if (state == SendState.Sent || Volatile.Read(ref _cancels) != 0)
            {
                Finish(null);
            }
            else if (_token.IsCancellationRequested)
            {
                Finish(new OperationCanceledException(_token));
            }
            else if (!_isParked)
            {
                Park();
            }
        }

        if (_isFinishing && _sending is null && !IsDone)
        {
            IsDone = true;
            connection.OnOutputDone();
        }
    }

    private void Park()
    {
        _isParked = true;
        if (_token.CanBeCanceled)
        {
            _registration = _token.UnsafeRegister(ContinueLater, this);
        }
    }

    private void Finish(Exception? error)
    {
        _isWaiting = false;
        _hasArrived = false;
        _isParked = false;
        var registration = _registration;
        _registration = default;
        _token = default;

        // As in the reader: a late callback does no harm.
        registration.Unregister();
        _completion.Complete(error);
    }

    /// <summary>Queues written blocks for sending; those that nothing was written to go back.</summary>
    private void Commit(Block? written)
    {
        while (written is { } block)
        {
            written = block.NextBlock;
            if (block.Length == 0)
            {
                BlockPool.Return(block);
            }
            else
            {
                block.Detach();
                Queue(block);
            }
        }
    }

    private void Queue(Block block)
    {
        if (_sendingTail is null)
        {
            _sending = block;
        }
        else
        {
            _sendingTail.Append(block);
        }

        _sendingTail = block;
    }

    /// <summary>Sends what is queued and then the source; what the socket does not take of it is queued.</summary>
    private unsafe SendState Send(ReadOnlySpan<byte> source)
    {
        var parts = stackalloc IoVector[MaxParts];
        fixed (byte* start = source)
        {
            var sent = 0;
            while (_sending is not null || sent < source.Length)
            {
                var total = Gather(parts, start + sent, source.Length - sent, out var count);
                var result = _reactor.TrySpend() ? connection.Send(parts, count, total, _isSendingDeferred) : 0;
                if (result == ReactorConnection<TCalls>.Gone)
                {
                    Take(int.MaxValue);
                    return SendState.Sent;
                }

                sent += Take(result);
                if (result < total)
                {
                    Queue(source[sent..]);
                    return connection.IsFull ? SendState.Blocked : SendState.Deferred;
                }
            }
        }

        return SendState.Sent;
    }

    private unsafe int Gather(IoVector* parts, byte* last, int lastLength, out int count)
    {
        count = 0;
        var total = 0;
        var skip = _sentOfFirst;
        var block = _sending;
        for (; block is not null && count < MaxParts; block = block.NextBlock)
        {
            parts[count++] = new IoVector { Start = block.Start + skip, Length = (nuint)(block.Length - skip) };
            total += block.Length - skip;
            skip = 0;
        }

        if (block is null && lastLength > 0 && count < MaxParts)
        {
            lastLength = Math.Min(lastLength, MaxPartBytes);
            parts[count++] = new IoVector { Start = last, Length = (nuint)lastLength };
            total += lastLength;
        }

        return total;
    }

    /// <summary>Takes what was sent out of the queue; the rest of the count.</summary>
    private int Take(int count)
    {
        while (_sending is { } first)
        {
            var left = first.Length - _sentOfFirst;
            if (count < left)
            {
                _sentOfFirst += count;
                return 0;
            }

            count -= left;
            _sentOfFirst = 0;
            _sending = first.NextBlock;
            BlockPool.Return(first);
        }

        _sendingTail = null;
        return count;
    }

    private void Queue(ReadOnlySpan<byte> rest)
    {
        while (!rest.IsEmpty)
        {
            var block = BlockPool.Rent(Math.Min(rest.Length, Block.LargeBytes));
            var count = Math.Min(block.Room, rest.Length);
            rest[..count].CopyTo(block.Free.Span);
            block.Fill(count);
            Queue(block);
            rest = rest[count..];
        }
    }
}
