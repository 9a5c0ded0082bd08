using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>A range as its client reads it: what is held of its beginning, what comes from the upstream, and what is held of its end.</summary>
internal sealed class GapBody(ContentReader? before, MessageBody missing, long missingBytes, ContentReader? after, long length) : MessageBody
{
    private static readonly Failure OtherLength = new(FailureSource.Upstream, FailureKind.ResponseMalformed, Retryable: false, "The upstream's part has another length than its Content-Range says.");

    private bool _isBegun = before is null;
    private long _came;
    private bool _isFilled;

    public override long? Length => length;

    public override bool HasBytes => !_isBegun || missing.HasBytes;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (!_isBegun)
        {
            if (await before!.ReadAsync(buffer, cancellationToken) is > 0 and var held)
            {
                return held;
            }

            _isBegun = true;
        }

        if (!_isFilled)
        {
            var read = await missing.ReadAsync(buffer, cancellationToken);
            _came += read;
            if (_came > missingBytes || (read == 0 && _came < missingBytes))
            {
                // What is held must stand where it belongs.
                throw new MessageBodyException(OtherLength);
            }

            if (read > 0)
            {
                return read;
            }

            _isFilled = true;
        }

        return after is null ? 0 : await after.ReadAsync(buffer, cancellationToken);
    }

    public override async ValueTask DisposeAsync()
    {
        if (before is not null)
        {
            await before.DisposeAsync();
        }

        if (after is not null)
        {
            await after.DisposeAsync();
        }

        await missing.DisposeAsync();
    }
}
