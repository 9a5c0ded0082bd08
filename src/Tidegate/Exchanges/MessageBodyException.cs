namespace Tidegate.Exchanges;

/// <summary>A body could not be read to its end. Carries the value that the record and the reply will use.</summary>
public sealed class MessageBodyException(Failure failure, Exception? inner = null) : IOException(failure.Detail, inner)
{
    /// <summary>What happened, and on whose side.</summary>
    public Failure Failure { get; } = failure;
}
