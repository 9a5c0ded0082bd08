using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Tidegate.Forwarding.Connecting;

/// <summary>
/// A pipe reader without a pipe: receives straight into one buffer and hands that out, so what is unread is always a single piece. The buffer grows with
/// what the peer sends at once, and shrinks again.
/// </summary>
internal abstract class ReceivingPipeReader : PipeReader, IValueTaskSource<ReadResult>
{
    // A response of an API is a few hundred bytes to a few kilobytes; an idle connection holds this much while it waits.
    private const int LeastBytes = 4 * 1024;

    // Four TLS records, and more than a fast loopback delivers at once: beyond it fewer system calls save nothing.
    private const int MostBytes = 64 * 1024;

    // So many small reads in a row, and the buffer is halved.
    private const int SmallReadsToShrink = 16;

    private readonly Action _onReceived;
    private ManualResetValueTaskSourceCore<ReadResult> _source;
    private ConfiguredValueTaskAwaitable<int>.ConfiguredValueTaskAwaiter _receiving;
    private byte[] _buffer = [];
    private int _wanted = LeastBytes;
    private int _smallReads;
    private int _start;
    private int _examined;
    private int _end;
    private bool _isCompleted;
    private bool _isReleased;
    private volatile bool _isReceiving;

    protected ReceivingPipeReader() => _onReceived = OnReceived;

    /// <summary>0 when the peer will send no more.</summary>
    protected abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        // Timeouts come from outside, through the connection's end: a read that is given up half-way would have to give up its buffer too.
        cancellationToken.ThrowIfCancellationRequested();
        if (_end > _examined || _isCompleted)
        {
            return new ValueTask<ReadResult>(Result());
        }

        EnsureRoom();
        try
        {
            var receiving = ReceiveAsync(_buffer.AsMemory(_end));
            if (receiving.IsCompleted)
            {
                return new ValueTask<ReadResult>(Received(receiving.GetAwaiter().GetResult()));
            }

            _source.Reset();
            _receiving = receiving.ConfigureAwait(false).GetAwaiter();
            _isReceiving = true;
            _receiving.UnsafeOnCompleted(_onReceived);
            return new ValueTask<ReadResult>(this, _source.Version);
        }
        catch (Exception broken) when (broken is SocketException or ObjectDisposedException)
        {
            throw Broken(broken);
        }
    }

    public override bool TryRead(out ReadResult result)
    {
        if (_end > _examined || _isCompleted)
        {
            result = Result();
            return true;
        }

        result = default;
        return false;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        _start = consumed.GetInteger();
        _examined = examined.GetInteger();
        if (_start == _end)
        {
            _start = _examined = _end = 0;
        }
    }

    /// <summary>Not offered: a read ends with the connection.</summary>
    public override void CancelPendingRead() => throw new NotSupportedException("A pending read ends when the connection is aborted.");

    public override void Complete(Exception? exception = null)
    {
        _isReleased = true;
        if (!_isReceiving && _buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
            _start = _examined = _end = 0;
        }
    }

    /// <summary>Reads into the caller's own memory when nothing is buffered, which saves a copy.</summary>
    /// <returns>False when there is something in the buffer, which must be read first.</returns>
    public bool TryReceiveInto(Memory<byte> memory, out ValueTask<int> received)
    {
        var canBypass = _start == _end && !_isCompleted;
        received = canBypass ? ReceiveAsync(memory) : default;
        return canBypass;
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _source.OnCompleted(continuation, state, token, flags);

    /// <summary>What the connection's users know: an I/O error.</summary>
    internal static IOException Broken(Exception cause) => new("The connection broke.", cause);

    private void OnReceived()
    {
        ReadResult result;
        try
        {
            var count = _receiving.GetResult();
            _isReceiving = false;
            ObjectDisposedException.ThrowIf(_isReleased, this);
            result = Received(count);
        }
        catch (Exception broken)
        {
            _isReceiving = false;
            if (_isReleased)
            {
                Complete();
            }

            _source.SetException(broken as IOException ?? Broken(broken));
            return;
        }

        _source.SetResult(result);
    }

    private ReadResult Received(int count)
    {
        _isCompleted = count == 0;
        var room = _buffer.Length - _end;
        _end += count;
        if (count == room)
        {
            _wanted = Math.Min(_wanted * 2, MostBytes);
            _smallReads = 0;
        }
        else if (count > _wanted / 4)
        {
            _smallReads = 0;
        }
        else if (++_smallReads == SmallReadsToShrink)
        {
            _wanted = Math.Max(_wanted / 2, LeastBytes);
            _smallReads = 0;
        }

        return Result();
    }

    private ReadResult Result() => new(new ReadOnlySequence<byte>(_buffer, _start, _end - _start), isCanceled: false, _isCompleted);

    private void EnsureRoom()
    {
        ObjectDisposedException.ThrowIf(_isReleased, this);
        if (_end == 0 && _buffer.Length != _wanted)
        {
            Replace(_wanted);
        }
        else if (_end == _buffer.Length)
        {
            // What is unread stays in one piece: moved to the front while that makes enough room, else into a larger buffer.
            if (_start >= _buffer.Length / 2)
            {
                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                _examined -= _start;
                _end -= _start;
                _start = 0;
            }
            else
            {
                Replace(_buffer.Length * 2);
            }
        }
    }

    private void Replace(int length)
    {
        var replacement = ArrayPool<byte>.Shared.Rent(length);
        _buffer.AsSpan(_start, _end - _start).CopyTo(replacement);
        _examined -= _start;
        _end -= _start;
        _start = 0;
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        _buffer = replacement;
    }
}
