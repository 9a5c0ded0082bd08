using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>A part that is stored as its one reader reads it. One that is not read to its end, or is not as long as it says, is not stored.</summary>
internal sealed class PartBody(MessageBody inner, PartAnswer answer, StoredContent part, HeaderList fields, ByteRange range, long total) : MessageBody
{
    private static readonly Failure NotWhole = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away before it had read the part.");

    private bool _isOver;

    public override long? Length => inner.Length;

    public override bool HasBytes => inner.HasBytes;

    public override HeaderList? Trailers => inner.Trailers;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        if (_isOver)
        {
            return read;
        }

        if (read > 0 && part.Length + read <= range.Length && part.TryReserve(read))
        {
            part.Append(buffer.Span[..read]);
            return read;
        }

        if (read > 0 || part.Length != range.Length)
        {
            GiveUp();
            return read;
        }

        _isOver = true;
        var reserved = part.Complete(inner.Trailers);
        if (part.IsKept)
        {
            // What is kept is put together anew, and takes room of its own.
            answer.Join(part, fields, range, total);
            answer.GiveBack(reserved);
        }

        return 0;
    }

    public override ValueTask DisposeAsync()
    {
        GiveUp();
        return inner.DisposeAsync();
    }

    private void GiveUp()
    {
        if (!_isOver)
        {
            _isOver = true;
            part.Fail(NotWhole);
        }
    }
}
