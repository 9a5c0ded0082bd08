using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>
/// One connection to an upstream, used by one exchange after the other. While it is idle a read waits on it: if that comes back, the upstream has closed it or
/// sent something that belongs to no request, and it is not used again. The next exchange's answer is what that same read brings otherwise.
/// </summary>
internal sealed class UpstreamConnection : IValueTaskSource<ReadResult>
{
    // The states of the read that was begun while idle.
    private const int None = 0;
    private const int Pending = 1;
    private const int Awaited = 2;
    private const int Ended = 3;
    private const int Closing = 4;

    // A peer that is there answers within a round trip.
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    private readonly ConnectionPool _pool;
    private readonly Action _onRead;
    private ConfiguredValueTaskAwaitable<ReadResult>.ConfiguredValueTaskAwaiter _reading;
    private ManualResetValueTaskSourceCore<ReadResult> _source;
    private int _watch;
    private int _isClosed;
    private volatile bool _isAborted;

    public UpstreamConnection(ConnectionContext context, ConnectionPool pool, int partition, Deadlines deadlines)
    {
        Context = context;
        Input = context.Transport.Input;
        Output = context.Transport.Output;
        Partition = partition;
        OpenedAt = deadlines.Time.GetTimestamp();
        Deadline = deadlines.Add(static state => ((UpstreamConnection)state).Abort(), this);
        _pool = pool;
        _onRead = OnRead;
    }

    public ConnectionContext Context { get; }

    public PipeReader Input { get; }

    public PipeWriter Output { get; }

    /// <summary>Armed by each exchange for its phases; expiry aborts the connection.</summary>
    public Deadline Deadline { get; }

    public int Partition { get; }

    /// <summary>When it was opened and when it was last given back, to within a sweep of its pool.</summary>
    public long OpenedAt { get; }

    public long IdleSince { get; set; }

    /// <summary>Whether an exchange has been served on it before.</summary>
    public bool IsReused { get; set; }

    /// <summary>What the pool's list knows of it. Under the partition's lock.</summary>
    public bool IsIdle { get; set; }

    public UpstreamConnection? Newer { get; set; }

    public UpstreamConnection? Older { get; set; }

    /// <summary>We ended it ourselves: what looks like the upstream's end is none.</summary>
    public bool IsAborted => _isAborted;

    /// <summary>The idle read has come back.</summary>
    public bool HasEnded => Volatile.Read(ref _watch) == Ended;

    /// <summary>For use by an exchange. False when it is dead.</summary>
    public bool TryTake() => !HasEnded;

    /// <summary>Begins the idle read. False when it came back at once, so that the connection is of no use.</summary>
    public bool Watch()
    {
        if (_watch != None)
        {
            return !HasEnded;
        }

        try
        {
            var reading = Input.ReadAsync();
            var isOver = reading.IsCompleted;
            _reading = reading.ConfigureAwait(false).GetAwaiter();
            _watch = isOver ? Ended : Pending;
            if (!isOver)
            {
                _reading.UnsafeOnCompleted(_onRead);
            }

            return !isOver;
        }
        catch (Exception broken) when (IsBreak(broken))
        {
            return false;
        }
    }

    /// <summary>What the upstream sends next.</summary>
    public ValueTask<ReadResult> ReadAsync()
    {
        if (_watch == None)
        {
            return Input.ReadAsync();
        }

        _source.Reset();
        if (Interlocked.CompareExchange(ref _watch, Awaited, Pending) == Pending)
        {
            return new ValueTask<ReadResult>(this, _source.Version);
        }

        _watch = None;
        return new ValueTask<ReadResult>(_reading.GetResult());
    }

    /// <summary>From any thread: whoever waits for this connection gets an I/O error, and it is never used again.</summary>
    public void Abort()
    {
        _isAborted = true;
        Context.Abort(new ConnectionAbortedException("The exchange was given up."));
    }

    /// <summary>Closes, once. Nobody but the idle read may be waiting on the connection.</summary>
    /// <param name="keepsPlace">The place in the pool is the caller's to use or to give up.</param>
    public void Close(bool keepsPlace = false)
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 1)
        {
            return;
        }

        if (Interlocked.CompareExchange(ref _watch, Closing, Pending) == Pending)
        {
            _ = EndAsync();
        }
        else
        {
            _ = ReleaseAsync();
        }

        if (!keepsPlace)
        {
            _pool.GiveUpPlace();
        }
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _source.OnCompleted(continuation, state, token, flags);

    /// <summary>What a connection that ends, from either side, throws at those who use it.</summary>
    public static bool IsBreak(Exception exception) => exception is IOException or OperationCanceledException or ObjectDisposedException or System.Net.Sockets.SocketException;

    private void OnRead()
    {
        switch (Interlocked.Exchange(ref _watch, Ended))
        {
            case Awaited:
                _watch = None;
                ReadResult result;
                try
                {
                    result = _reading.GetResult();
                }
                catch (Exception broken)
                {
                    _source.SetException(broken);
                    return;
                }

                _source.SetResult(result);
                break;
            case Closing:
                _ = ReleaseAsync();
                break;
            default:
                _pool.OnIdleEnded(this);
                break;
        }
    }

    /// <summary>Ends an idle connection in good order: our end first, and the idle read comes back with the upstream's. One that does not answer is broken off.</summary>
    private async Task EndAsync()
    {
        Deadline.Set(Farewell);
        try
        {
            await Output.CompleteAsync();
        }
        catch (Exception broken) when (IsBreak(broken))
        {
            Abort();
        }
    }

    private async Task ReleaseAsync()
    {
        Deadline.Dispose();
        try
        {
            if (_watch == Ended)
            {
                // Its result is of no interest; that it was fetched frees the reader.
                _watch = None;
                _reading.GetResult();
            }
        }
        catch (Exception broken) when (IsBreak(broken))
        {
            Abort();
        }

        try
        {
            await Context.DisposeAsync();
        }
        catch (Exception broken) when (IsBreak(broken))
        {
            Abort();
        }
    }
}
