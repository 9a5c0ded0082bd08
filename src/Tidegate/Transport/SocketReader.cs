using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Tidegate.Transport;

/// <summary>
/// A connection's input, straight from the socket: nothing is received before it is asked for, and a waiting read holds no memory. On the reactor a read receives at once;
/// from another thread it is posted, and what follows it runs on the reactor.
/// </summary>
internal sealed class SocketReader<TCalls>(ReactorConnection<TCalls> connection) : PipeReader, IValueTaskSource<ReadResult>
    where TCalls : struct, ISocketCalls
{
    // Below this the rest of a block is not worth a system call.
    private const int MinReceiveBytes = 2 * 1024;

    private static readonly Action<object?> StartRead = static state => ((SocketReader<TCalls>)state!).Start();
    private static readonly Action<object?> ContinueRead = static state => ((SocketReader<TCalls>)state!).Continue();
    private static readonly Action<object?> ContinueLater = static state => ((SocketReader<TCalls>)state!).PostContinue();

    private readonly EpollReactor<TCalls> _reactor = connection.Reactor;

    // The reader's own while no read waits; the reactor's while one does. Positions count from the first byte of the connection.
    private Block? _head;
    private Block? _tail;
    private int _headStart;
    private long _consumed;
    private long _examined;
    private long _received;
    private bool _hasEnded;
    private bool _isReading;
    private bool _mayReadAgain;
    private bool _isCompleted;

    private int _cancels;
    private bool _isWaiting;
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private Completion _completion;

    // The reactor's: the waiting read has arrived. What was posted for an earlier read must not touch one that another thread is still beginning.
    private bool _hasArrived;
    private bool _isParked;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        CheckMayRead();
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<ReadResult>(cancellationToken);
        }

        if (HasNews)
        {
            return new ValueTask<ReadResult>(Take());
        }

        var state = _reactor.IsCurrent ? Receive() : ReceiveState.Deferred;
        if (state is ReceiveState.Data or ReceiveState.Ended)
        {
            return new ValueTask<ReadResult>(Take());
        }

        if (state == ReceiveState.Failed)
        {
            return ValueTask.FromException<ReadResult>(Failure);
        }

        _completion.Reset();
        _token = cancellationToken;
        _isWaiting = true;
        var version = _completion.Version;
        if (state == ReceiveState.Blocked)
        {
            _hasArrived = true;
            Park();
        }
        else
        {
            _reactor.Post(StartRead, this);
        }

        return new ValueTask<ReadResult>(this, version);
    }

    public override bool TryRead(out ReadResult result)
    {
        CheckMayRead();
        if (HasNews || (_reactor.IsCurrent && connection.MayReceive && Receive() is ReceiveState.Data or ReceiveState.Ended))
        {
            result = Take();
            return true;
        }

        result = default;
        return false;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_isCompleted)
        {
            throw new InvalidOperationException("Reading is not allowed after the reader was completed.");
        }

        if (!_isReading)
        {
            throw new InvalidOperationException("There is no read to advance from.");
        }

        var to = PositionOf(consumed);
        var seen = PositionOf(examined);
        if (to < _consumed || seen < to || seen > _received)
        {
            throw new ArgumentOutOfRangeException(nameof(consumed), "The positions are not of the buffer that was read.");
        }

        _isReading = false;
        _consumed = to;
        _examined = seen;
        Release();
    }

    public override void CancelPendingRead()
    {
        Volatile.Write(ref _cancels, 1);
        _reactor.Post(ContinueRead, this);
    }

    public override void Complete(Exception? exception = null)
    {
        if (_isCompleted)
        {
            return;
        }

        _isCompleted = true;
        _isReading = false;
        if (_isWaiting)
        {
            // Against the contract, but the read's owner must not wait for ever.
            _reactor.Post(ContinueRead, this);
        }
        else
        {
            ReleaseAll();
        }
    }

    /// <summary>On the reactor: the socket has become readable, or has ended.</summary>
    public void OnReadable() => Continue();

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token)
    {
        _completion.GetResult(token);
        return Take();
    }

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _completion.GetStatus(token, _reactor);

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags, _reactor);

    private bool HasNews => _examined < _received || _hasEnded || Volatile.Read(ref _cancels) != 0;

    private Exception Failure => connection.Failure ?? new ObjectDisposedException(nameof(SocketReader<>), "The connection was closed.");

    private void CheckMayRead()
    {
        if (_isCompleted)
        {
            throw new InvalidOperationException("Reading is not allowed after the reader was completed.");
        }

        if (_isWaiting || (_isReading && !_mayReadAgain))
        {
            throw new InvalidOperationException("A read is in progress: advance from it before the next.");
        }
    }

    private ReadResult Take()
    {
        var isCanceled = Volatile.Read(ref _cancels) != 0 && Interlocked.Exchange(ref _cancels, 0) != 0;
        _isReading = true;
        _mayReadAgain = isCanceled;
        var buffer = _head is null ? default : new ReadOnlySequence<byte>(_head, _headStart, _tail!, _tail!.Length);
        return new ReadResult(buffer, isCanceled, _hasEnded);
    }

    private void Start()
    {
        _hasArrived = true;
        Continue();
    }

    /// <summary>On the reactor: goes on with the read that waits, if one does.</summary>
    private void Continue()
    {
        Debug.Assert(_reactor.IsCurrent, "continued on another thread");
        if (!_hasArrived)
        {
            return;
        }

        if (_isCompleted)
        {
            ReleaseAll();
            Finish(new InvalidOperationException("The reader was completed while it read."));
            return;
        }

        if (HasNews)
        {
            Finish(null);
            return;
        }

        switch (Receive())
        {
            case ReceiveState.Data or ReceiveState.Ended:
                Finish(null);
                break;
            case ReceiveState.Failed:
                Finish(Failure);
                break;
            case ReceiveState.Deferred:
                _reactor.Post(ContinueRead, this);
                break;
            default:
                if (_token.IsCancellationRequested)
                {
                    Finish(new OperationCanceledException(_token));
                }
                else if (!_isParked)
                {
                    Park();
                }

                break;
        }
    }

    private void PostContinue() => _reactor.Post(ContinueRead, this);

    private void Park()
    {
        _isParked = true;
        Shrink();
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

        // Not Dispose: it waits for a callback that is running. One that comes too late finds no read, or another one whose token is not cancelled.
        registration.Unregister();
        _completion.Complete(error);
    }

    private unsafe ReceiveState Receive()
    {
        if (!connection.MayReceive)
        {
            return ReceiveState.Blocked;
        }

        var block = _tail is { Room: >= MinReceiveBytes } tail ? tail : BlockPool.Rent(Block.LargeBytes);
        var state = connection.Receive(block.End, block.Room, out var count);
        if (state == ReceiveState.Data)
        {
            block.Fill(count);
            if (!ReferenceEquals(block, _tail))
            {
                Append(block);
            }

            _received += count;
            return state;
        }

        _hasEnded |= state == ReceiveState.Ended;
        if (!ReferenceEquals(block, _tail))
        {
            BlockPool.Return(block);
        }

        return state;
    }

    private void Append(Block block)
    {
        if (_tail is null)
        {
            block.Begin(_received);
            _head = block;
            _headStart = 0;
        }
        else
        {
            _tail.Append(block);
        }

        _tail = block;
    }

    /// <summary>Lets go of the blocks that are consumed to their end.</summary>
    private void Release()
    {
        while (_head is { } head)
        {
            if (head.RunningIndex + head.Length > _consumed)
            {
                _headStart = (int)(_consumed - head.RunningIndex);
                return;
            }

            _head = head.NextBlock;
            BlockPool.Return(head);
        }

        _tail = null;
        _headStart = 0;
    }

    private void ReleaseAll()
    {
        _consumed = _examined = _received;
        Release();
    }

    /// <summary>Who sends half a message and waits shall not hold a large block.</summary>
    private void Shrink()
    {
        if (_head is not { Size: > Block.SmallBytes } head || !ReferenceEquals(head, _tail) || head.Length - _headStart > Block.SmallBytes)
        {
            return;
        }

        var small = BlockPool.Rent(Block.SmallBytes);
        var rest = head.Memory.Span[_headStart..];
        rest.CopyTo(small.Free.Span);
        small.Fill(rest.Length);
        small.Begin(_consumed);
        _head = _tail = small;
        _headStart = 0;
        BlockPool.Return(head);
    }

    private long PositionOf(SequencePosition position) => position.GetObject() is null ? _consumed : Unsafe.As<Block>(position.GetObject()!).RunningIndex + position.GetInteger();
}
