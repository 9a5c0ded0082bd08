using System.Diagnostics;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Transport;

/// <summary>What came of an attempt to receive.</summary>
internal enum ReceiveState
{
    Data,

    /// <summary>The peer has finished sending.</summary>
    Ended,

    /// <summary>Nothing is there; readiness will be reported.</summary>
    Blocked,

    /// <summary>There may be something, but this turn's share is used up: try again from a post.</summary>
    Deferred,

    /// <summary>The connection is broken or was aborted: <see cref="ReactorConnection{TCalls}.Failure"/>.</summary>
    Failed,
}

/// <content>The descriptor's side. Everything here runs on the reactor's thread.</content>
internal sealed unsafe partial class ReactorConnection<TCalls>
{
    /// <summary>What <see cref="Send"/> gives when nobody will ever receive it.</summary>
    public const int Gone = -1;

    private const uint WatchedEvents = EpollEvents.Readable | EpollEvents.Writable | EpollEvents.PeerFinished | EpollEvents.Urgent | EpollEvents.EdgeTriggered;
    private const uint EndEvents = EpollEvents.PeerFinished | EpollEvents.HangUp | EpollEvents.Error;

    // Every flush was awaited as a rule, so little is left, and a peer that takes nothing for so long will not take it at all.
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(10);

    private static readonly Action<object?> Settle = static state => ((ReactorConnection<TCalls>)state!).OnSettled();

    private readonly int _descriptor;
    private readonly DescriptorWatch _watch;
    private ITimer? _closeTimer;
    private Exception? _failure;
    private bool _isReadable;
    private bool _isWritable = true;

    // A read that fills less than it could has emptied the socket (epoll(7), question 9), which saves the read that would find nothing. Not so once the peer's end stands
    // behind the last bytes, or urgent data, at which the kernel cuts a read short (tcp(7)).
    private bool _trustsShortReads = true;
    private bool _inputHasEnded;
    private bool _firedClosed;
    private bool _closesWhenSent;
    private bool _resets;
    private bool _isClosed;

    /// <summary>Why reads fail.</summary>
    public Exception? Failure => Volatile.Read(ref _abortReason) ?? Volatile.Read(ref _failure);

    /// <summary>Nothing that is sent arrives any more. Any thread.</summary>
    public bool IsGone => Failure is not null || Volatile.Read(ref _isClosed);

    /// <summary>A receive would not be in vain, as far as is known.</summary>
    public bool MayReceive => _isReadable || _inputHasEnded || IsGone;

    /// <summary>The socket takes nothing now; readiness will be reported.</summary>
    public bool IsFull => !_isWritable;

    /// <summary>Starts to watch an accepted descriptor.</summary>
    /// <returns>False when the system has no room; the descriptor is closed then.</returns>
    public bool TryOpen()
    {
        _reactor.Counters.Open++;
        if (_reactor.Watch(_watch, _descriptor, WatchedEvents) >= 0)
        {
            return true;
        }

        _reactor.Counters.Open--;
        _isClosed = true;
        _ = Libc.Close(_descriptor);
        return false;
    }

    /// <summary>Receives what is there, at once.</summary>
    public ReceiveState Receive(byte* buffer, int length, out int count)
    {
        Debug.Assert(_reactor.IsCurrent, "received on another thread");
        count = 0;
        if (_abortReason is not null || _isClosed)
        {
            return ReceiveState.Failed;
        }

        if (_inputHasEnded)
        {
            return ReceiveState.Ended;
        }

        if (!_isReadable)
        {
            return _failure is null ? ReceiveState.Blocked : ReceiveState.Failed;
        }

        if (!_reactor.TrySpend())
        {
            return ReceiveState.Deferred;
        }

        var result = Receive(buffer, length, 0);
        if (result > 0)
        {
            count = result;
            _isReadable = result == length || !_trustsShortReads;
            return ReceiveState.Data;
        }

        if (result == -Errno.TryAgain)
        {
            _isReadable = false;
            _reactor.Counters.ReceivesInVain++;
            return _failure is null ? ReceiveState.Blocked : ReceiveState.Failed;
        }

        if (result == 0 && _failure is null)
        {
            EndInput();
            return ReceiveState.Ended;
        }

        Fail(-result);
        return ReceiveState.Failed;
    }

    /// <summary>Sends as much as the socket takes.</summary>
    /// <param name="parts">What.</param>
    /// <param name="count">Of them.</param>
    /// <param name="total">Their bytes.</param>
    /// <param name="wasFlushed">It was flushed before whatever was asked for since: an abort that has not arrived here yet resets behind it.</param>
    /// <returns>Bytes taken, 0 when the socket is full and its readiness will be reported, or <see cref="Gone"/>.</returns>
    public int Send(IoVector* parts, int count, int total, bool wasFlushed)
    {
        Debug.Assert(_reactor.IsCurrent, "sent on another thread");
        if (wasFlushed ? _failure is not null || _isClosed : IsGone)
        {
            return Gone;
        }

        if (!_isWritable)
        {
            return 0;
        }

        int result;
        do
        {
            _reactor.Counters.Sends++;
            result = count == 1 ? _reactor.Calls.Send(_descriptor, parts->Start, total) : _reactor.Calls.Send(_descriptor, parts, count);
        }
        while (result == -Errno.Interrupted);

        if (result >= 0)
        {
            _isWritable = result == total;
            return result;
        }

        if (result == -Errno.TryAgain)
        {
            _isWritable = false;
            _reactor.Counters.SendsInVain++;
            return 0;
        }

        // What the peer had said before it reset is still there to be read, although epoll has not told of it yet: an upstream's early answer, say (RFC 9112 9.6).
        _isReadable = true;
        Fail(-result);
        return Gone;
    }

    /// <summary>The writer is completed and everything it wrote is with the kernel, or lost.</summary>
    public void OnOutputDone()
    {
        if (_isClosed)
        {
            return;
        }

        if (_closesWhenSent)
        {
            Close();
        }
        else if (!IsGone)
        {
            _ = Libc.ShutDownSending(_descriptor);
        }
    }

    private int Receive(byte* buffer, int length, int flags)
    {
        int result;
        do
        {
            _reactor.Counters.Receives++;
            result = _reactor.Calls.Receive(_descriptor, buffer, length, flags);
        }
        while (result == -Errno.Interrupted);
        return result;
    }

    private void OnEvents(uint events)
    {
        var hasEnd = (events & EndEvents) != 0;
        if (hasEnd || (events & EpollEvents.Urgent) != 0)
        {
            _trustsShortReads = false;
        }

        if (_connecting is not null && !TryFinishConnecting())
        {
            return;
        }

        if (hasEnd || (events & EpollEvents.Readable) != 0)
        {
            _isReadable = true;
            _input.OnReadable();
        }

        if (!_isClosed && !_isWritable && (hasEnd || (events & EpollEvents.Writable) != 0))
        {
            _isWritable = true;
            _output.OnWritable();
        }

        if (hasEnd && !_isClosed && !_inputHasEnded && _failure is null)
        {
            LookForEnd(events);
        }
    }

    /// <summary>Nobody reads just now, so what has happened must be found out without taking bytes.</summary>
    private void LookForEnd(uint events)
    {
        if ((events & EpollEvents.Error) != 0 && Libc.TakeError(_descriptor) is > 0 and var error)
        {
            Fail(error);
            return;
        }

        byte next;
        var result = Receive(&next, 1, Libc.MessagePeek);
        if (result == 0)
        {
            EndInput();
        }
        else if (result is < 0 and not -Errno.TryAgain)
        {
            Fail(-result);
        }
    }

    private void EndInput()
    {
        _inputHasEnded = true;
        _reactor.Post(Settle, this);
    }

    private void Fail(int error)
    {
        if (_failure is null)
        {
            var cause = Errno.ToException(error);
            Volatile.Write(ref _failure, new ConnectionResetException(cause.Message, cause));
            _reactor.Post(Settle, this);
        }
    }

    /// <summary>Abort, arrived on the reactor.</summary>
    private void Reset()
    {
        if (!_isClosed)
        {
            _resets = true;
            Close();
        }
    }

    private void CloseWhenSent()
    {
        if (_isClosed)
        {
            _disposed?.TrySetResult();
        }
        else if (IsGone || _output.IsDone)
        {
            Close();
        }
        else if (!_closesWhenSent)
        {
            _closesWhenSent = true;
            _closeTimer = _reactor.Time.CreateTimer(static state => ((ReactorConnection<TCalls>)state!).GiveUpLater(), this, CloseLimit, Timeout.InfiniteTimeSpan);
        }
    }

    private void GiveUpLater() => _reactor.Post(
        static state =>
        {
            var connection = (ReactorConnection<TCalls>)state!;
            if (!connection._isClosed)
            {
                connection._reactor.Counters.UnsentAtClose++;
                connection.Reset();
            }
        },
        this);

    private void Close()
    {
        Volatile.Write(ref _isClosed, true);
        if (_abortReason is not null || _resets)
        {
            // Also where the connection is disposed before its abort has arrived here: a peer must never take a broken end for a proper one.
            Libc.ResetOnClose(_descriptor);
        }

        _reactor.Close(_watch, _descriptor);
        _reactor.Counters.Open--;
        _closeTimer?.Dispose();
        _reactor.Post(Settle, this);
    }

    /// <summary>An end of some kind has come: who still waits learns it, then everybody else.</summary>
    private void OnSettled()
    {
        if (_isClosed && _connecting is not null)
        {
            EndConnecting();
        }

        _input.OnReadable();
        _output.OnWritable();
        try
        {
            if (!_firedClosed)
            {
                _firedClosed = true;
                Interlocked.CompareExchange(ref _closedSource, AlreadyClosed, null)?.Cancel();
            }
        }
        finally
        {
            if (_isClosed)
            {
                _disposed?.TrySetResult();
            }
        }
    }

    private sealed class DescriptorWatch(ReactorConnection<TCalls> connection) : Watched
    {
        public override void OnEvents(uint events) => connection.OnEvents(events);

        public override void OnReactorEnding() => connection.Abort(new ConnectionAbortedException("The transport was disposed."));
    }
}
