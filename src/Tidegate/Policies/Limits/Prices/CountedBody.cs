using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Limits.Prices;

/// <summary>
/// An answer's content on its way from the provider, counted: also of what is thrown away for another attempt, and whatever becomes of it further out. Kept by the
/// <see cref="Exchange"/> object and used again with it.
/// </summary>
internal sealed class CountedBody : MessageBody
{
    private MessageBody _inner = Empty;

    /// <summary>What has come.</summary>
    public long Bytes { get; private set; }

    /// <summary>All of it has.</summary>
    public bool IsWhole { get; private set; }

    public override long? Length => _inner.Length;

    public override bool HasBytes => _inner.HasBytes;

    public override HeaderList? Trailers => _inner.Trailers;

    /// <summary>Puts one in front of an answer's content; null when it has none.</summary>
    public static CountedBody? Put(Exchange exchange)
    {
        // RFC 9110 6.4.1: what their fields say of content is of another answer's.
        if (exchange.ResponseBody.IsEmpty || exchange.Method == "HEAD" || exchange.ResponseStatus is 204 or 304)
        {
            return null;
        }

        var counted = exchange.CountingState as CountedBody ?? new CountedBody();
        exchange.CountingState = counted;
        counted._inner = exchange.ResponseBody;
        counted.Bytes = 0;
        counted.IsWhole = false;
        exchange.ResponseBody = counted;
        return counted;
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await _inner.ReadAsync(buffer, cancellationToken);
        Bytes += read;
        IsWhole |= (read == 0 && buffer.Length > 0) || Bytes == Length;
        return read;
    }

    public override ValueTask DisposeAsync() => _inner.DisposeAsync();
}
