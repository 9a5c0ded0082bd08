using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Tidegate.Forwarding.Connecting;

/// <summary>A pipe writer without a pipe: what is written stands in one buffer until a flush sends it. The buffer is given back while nothing stands in it.</summary>
internal abstract class SendingPipeWriter : PipeWriter, IValueTaskSource<FlushResult>
{
    // A request head with room to spare.
    private const int LeastBytes = 4 * 1024;

    private readonly Action _onSent;
    private ManualResetValueTaskSourceCore<FlushResult> _source;
    private ConfiguredValueTaskAwaitable<int>.ConfiguredValueTaskAwaiter _sending;
    private ReadOnlyMemory<byte> _unsent;
    private byte[] _buffer = [];
    private int _length;
    private bool _isReleased;
    private volatile bool _isSending;

    protected SendingPipeWriter() => _onSent = OnSent;

    /// <summary>Tells the peer that nothing more comes from our side.</summary>
    protected abstract void CompleteSending();

    /// <returns>How many of the bytes were sent, at least one.</returns>
    protected abstract ValueTask<int> SendAsync(ReadOnlyMemory<byte> bytes);

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _length;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        EnsureRoom(Math.Max(sizeHint, 1));
        return _buffer.AsMemory(_length);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        EnsureRoom(Math.Max(sizeHint, 1));
        return _buffer.AsSpan(_length);
    }

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)(_buffer.Length - _length), nameof(bytes));
        _length += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _length == 0 ? default : SendAllAsync(_buffer.AsMemory(0, _length));
    }

    /// <summary>Without a copy when nothing else waits to be sent.</summary>
    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_length == 0)
        {
            return source.IsEmpty ? default : SendAllAsync(source);
        }

        source.Span.CopyTo(GetSpan(source.Length));
        Advance(source.Length);
        return FlushAsync(cancellationToken);
    }

    /// <summary>Not offered: a flush ends with the connection.</summary>
    public override void CancelPendingFlush() => throw new NotSupportedException("A pending flush ends when the connection is aborted.");

    /// <summary>Half-close: the peer reads our end; what was not flushed is not sent.</summary>
    public override void Complete(Exception? exception = null) => CompleteSending();

    /// <summary>Gives the buffer back. Nothing can be written after.</summary>
    public void Release()
    {
        _isReleased = true;
        if (!_isSending)
        {
            ReturnBuffer();
        }
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<FlushResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _source.OnCompleted(continuation, state, token, flags);

    private ValueTask<FlushResult> SendAllAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            _unsent = bytes;
            if (SendUnsent())
            {
                return default;
            }
        }
        catch (Exception broken) when (broken is SocketException or ObjectDisposedException)
        {
            throw ReceivingPipeReader.Broken(broken);
        }

        return new ValueTask<FlushResult>(this, _source.Version);
    }

    /// <summary>False when it has to wait; the callback goes on.</summary>
    private bool SendUnsent()
    {
        while (!_unsent.IsEmpty)
        {
            var sending = SendAsync(_unsent);
            if (!sending.IsCompleted)
            {
                if (!_isSending)
                {
                    _isSending = true;
                    _source.Reset();
                }

                _sending = sending.ConfigureAwait(false).GetAwaiter();
                _sending.UnsafeOnCompleted(_onSent);
                return false;
            }

            _unsent = _unsent[sending.GetAwaiter().GetResult()..];
        }

        _isSending = false;
        ReturnBuffer();
        return true;
    }

    private void OnSent()
    {
        try
        {
            _unsent = _unsent[_sending.GetResult()..];
            if (!SendUnsent())
            {
                return;
            }
        }
        catch (Exception broken)
        {
            _isSending = false;
            if (_isReleased)
            {
                ReturnBuffer();
            }

            _source.SetException(broken as IOException ?? ReceivingPipeReader.Broken(broken));
            return;
        }

        _source.SetResult(default);
    }

    private void EnsureRoom(int bytes)
    {
        ObjectDisposedException.ThrowIf(_isReleased, this);
        if (_buffer.Length - _length >= bytes)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(LeastBytes, Math.Max(_length + bytes, _length * 2)));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        var unsentLength = _length;
        ReturnBuffer();
        _buffer = larger;
        _length = unsentLength;
    }

    private void ReturnBuffer()
    {
        _length = 0;
        _unsent = default;
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
    }
}
