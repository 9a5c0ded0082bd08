using System.Text;
using System.Threading.Channels;
using Tidegate.Exchanges;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>A client's content, in pieces that the test hands out.</summary>
internal sealed class TestBody(long? length) : MessageBody
{
    private readonly Channel<byte[]> _pieces = Channel.CreateUnbounded<byte[]>();
    private byte[] _piece = [];
    private int _reading;

    public override long? Length => length;

    public override HeaderList? Trailers => LateTrailers;

    /// <summary>Fields after the content.</summary>
    public HeaderList? LateTrailers { get; set; }

    /// <summary>Somebody waits for content.</summary>
    public bool IsBeingRead => Volatile.Read(ref _reading) > 0;

    /// <summary>Complete, and there from the beginning.</summary>
    public static TestBody Of(string content, bool isChunked = false)
    {
        var body = new TestBody(isChunked ? null : content.Length);
        body.Add(content);
        body.End();
        return body;
    }

    public void Add(string content) => _pieces.Writer.TryWrite(Encoding.Latin1.GetBytes(content));

    public void End() => _pieces.Writer.Complete();

    public void Fail(Failure failure) => _pieces.Writer.Complete(new MessageBodyException(failure));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reading);
        try
        {
            while (_piece.Length == 0)
            {
                if (!_pieces.Reader.TryRead(out _piece!))
                {
                    _piece = [];
                    if (!await _pieces.Reader.WaitToReadAsync(cancellationToken))
                    {
                        return 0;
                    }
                }
            }

            var count = Math.Min(buffer.Length, _piece.Length);
            _piece.AsSpan(0, count).CopyTo(buffer.Span);
            _piece = _piece[count..];
            return count;
        }
        finally
        {
            Interlocked.Decrement(ref _reading);
        }
    }
}
