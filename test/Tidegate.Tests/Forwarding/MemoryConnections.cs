using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Tidegate.Fuzz.Inputs;

namespace Tidegate.Tests.Forwarding;

/// <summary>Upstream connections in memory: nobody reads what is sent, and what is to be received is handed out in pieces that the test cuts.</summary>
internal sealed class MemoryConnections(IReadOnlyList<byte[]> answer) : IConnectionFactory
{
    public ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(new MemoryConnection(answer));
}

/// <summary>Pieces stay apart: the reader sees a buffer of as many segments as pieces are there.</summary>
internal sealed class MemoryConnection : DefaultConnectionContext, IDuplexPipe
{
    private readonly Pipe _toServer = new(new PipeOptions(pauseWriterThreshold: 0, useSynchronizationContext: false, readerScheduler: PipeScheduler.Inline));
    private readonly SegmentReader _input;

    public MemoryConnection(IReadOnlyList<byte[]> answer)
    {
        _input = new SegmentReader(answer);
        Output = new AnnouncingWriter(_toServer.Writer, _input);
    }

    public override IDuplexPipe Transport { get => this; set => throw new NotSupportedException(); }

    public PipeReader Input => _input;

    public PipeWriter Output { get; }

    public override void Abort(ConnectionAbortedException abortReason) => _input.End();

    public override ValueTask DisposeAsync() => default;

    /// <summary>The answer begins when the request was flushed.</summary>
    private sealed class AnnouncingWriter(PipeWriter inner, SegmentReader reader) : PipeWriter
    {
        public override void Advance(int bytes) => inner.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            var result = await inner.FlushAsync(cancellationToken);
            reader.Begin();
            return result;
        }
    }
}

/// <summary>Hands out one piece more with each read, behind what was not consumed.</summary>
internal sealed class SegmentReader(IReadOnlyList<byte[]> pieces) : PipeReader
{
    private readonly TaskCompletionSource _begun = new();
    private readonly List<byte[]> _held = [];
    private ReadOnlySequence<byte> _buffer;
    private int _next;
    private bool _ended;

    public void Begin() => _begun.TrySetResult();

    public void End()
    {
        _ended = true;
        _begun.TrySetResult();
    }

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        await _begun.Task;
        if (_next < pieces.Count && !_ended)
        {
            _held.Add(pieces[_next++]);
            return Result();
        }

        _ended = true;
        return Result();
    }

    public override bool TryRead(out ReadResult result)
    {
        result = default;
        return false;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var rest = _buffer.Slice(consumed).ToArray();
        _held.Clear();
        if (rest.Length > 0)
        {
            _held.Add(rest);
        }
    }

    public override void CancelPendingRead() => throw new NotSupportedException();

    public override void Complete(Exception? exception = null) => End();

    private ReadResult Result()
    {
        _buffer = Pieces.Chain(_held);
        return new ReadResult(_buffer, isCanceled: false, isCompleted: _ended);
    }
}
