using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Content that is stored as its one reader reads it. What is not read to its end, or grows too large, is not stored.</summary>
internal sealed class StoringBody(MessageBody inner, StoredAnswer answer, HttpCache cache, long maxBytes) : MessageBody
{
    private static readonly Failure NotWhole = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away before it had read the answer.");

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

        var content = answer.Content;
        if (read > 0)
        {
            if (content.Length + read <= maxBytes && content.TryReserve(read))
            {
                content.Append(buffer.Span[..read]);
            }
            else
            {
                GiveUp();
            }

            return read;
        }

        _isOver = true;
        var reserved = content.Complete(inner.Trailers);
        if (content.IsKept)
        {
            cache.Keep(answer, replaced: null, reserved);
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
            answer.Content.Fail(NotWhole);
        }
    }
}
