using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Forwarding.Connecting;

/// <summary>A connection as a stream: for TLS, tunnels and what follows a 101. A token that is cancelled while a read or write waits ends the connection.</summary>
/// <param name="connection">Its bytes.</param>
/// <param name="close">Closes the connection in the place of this stream; null when the stream shall do it.</param>
internal sealed class ConnectionStream(ConnectionContext connection, Action? close = null) : Stream
{
    private readonly PipeReader _input = connection.Transport.Input;
    private readonly PipeWriter _output = connection.Transport.Output;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            // A stream on top asks to be told when there is something to read; it reads again at once, and waits then.
            return new ValueTask<int>(0);
        }

        return _input.TryRead(out var result) ? new ValueTask<int>(Take(result, buffer.Span)) : WaitAsync(buffer, cancellationToken);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var writing = _output.WriteAsync(buffer, CancellationToken.None);
        FlushResult result;
        if (writing.IsCompleted)
        {
            result = await writing;
        }
        else
        {
            using var cancelled = AbortOn(cancellationToken);
            result = await writing;
        }

        if (result.IsCompleted)
        {
            throw new IOException("The peer reads no more.");
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Nothing to do: every write is sent.</summary>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Nothing to do: every write is sent.</summary>
    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is asynchronous only.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is asynchronous only.");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Half-close: the peer reads the end of what we sent, and can go on sending.</summary>
    public ValueTask CompleteWritesAsync() => _output.CompleteAsync();

    public override async ValueTask DisposeAsync()
    {
        // Not by way of Dispose: nobody waits on a connection that is closed in an orderly way.
        if (close is null)
        {
            await connection.DisposeAsync();
        }
        else
        {
            close();
        }
    }

    /// <summary>Also while somebody waits, as the framework's client does: reads and writes that wait end.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            connection.Abort(new ConnectionAbortedException("The stream was disposed."));
            _ = CloseAsync();
        }

        base.Dispose(disposing);
    }

    private async Task CloseAsync()
    {
        try
        {
            await connection.DisposeAsync();
        }
        catch (IOException gone)
        {
            connection.Abort(new ConnectionAbortedException("The connection broke while it was closed.", gone));
        }
    }

    private async ValueTask<int> WaitAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var cancelled = AbortOn(cancellationToken);
        int read;
        try
        {
            read = Take(await _input.ReadAsync(CancellationToken.None), buffer.Span);
        }
        catch (IOException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }

        // An end that we made ourselves is none.
        return read > 0 || !cancellationToken.IsCancellationRequested ? read : throw new OperationCanceledException(cancellationToken);
    }

    private CancellationTokenRegistration AbortOn(CancellationToken cancellationToken) =>
        cancellationToken.UnsafeRegister(static state => ((ConnectionContext)state!).Abort(new ConnectionAbortedException("Reading or writing was cancelled.")), connection);

    private int Take(ReadResult result, Span<byte> destination)
    {
        var available = result.Buffer;
        var count = (int)Math.Min(available.Length, destination.Length);
        available.Slice(0, count).CopyTo(destination);
        _input.AdvanceTo(available.GetPosition(count));
        return count;
    }
}
