namespace Tidegate.Exchanges;

/// <summary>
/// One message's content as a stream of bytes, framing removed. Used for the client's request and for the upstream's response.
/// Read by one reader at a time.
/// </summary>
public abstract class MessageBody
{
    /// <summary>A body that is not there: length 0, no trailers.</summary>
    public static readonly MessageBody Empty = new EmptyBody();

    /// <summary>Bytes in all, when the sender announced it; null when only the end of the stream will tell.</summary>
    public abstract long? Length { get; }

    /// <summary>Whether there is nothing to read at all: the message has no content and no trailers.</summary>
    public bool IsEmpty => Length == 0;

    /// <summary>Whether the next <see cref="ReadAsync"/> surely has something without waiting. False says nothing.</summary>
    public virtual bool HasBytes => false;

    /// <summary>Trailer fields; complete only after <see cref="ReadAsync"/> has returned 0. Null when there are none.</summary>
    public virtual HeaderList? Trailers => null;

    /// <summary>Reads what is there, waiting for at least one byte.</summary>
    /// <returns>The number of bytes written to <paramref name="buffer"/>; 0 only at the complete end of the message.</returns>
    /// <exception cref="MessageBodyException">The body was cut short, malformed, too slow or too large. Never returned as an end.</exception>
    public abstract ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Lets go of whatever the body holds. A body that was not read to its end aborts its stream or connection.</summary>
    public virtual ValueTask DisposeAsync() => default;

    private sealed class EmptyBody : MessageBody
    {
        public override long? Length => 0;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => new(0);
    }
}
