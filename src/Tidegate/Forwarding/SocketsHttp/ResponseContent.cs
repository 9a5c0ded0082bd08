using Tidegate.Exchanges;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>The upstream's content. Ends only at its complete end; anything else is a <see cref="MessageBodyException"/>.</summary>
/// <param name="response">The answer.</param>
/// <param name="stream">Its content.</param>
/// <param name="length">What Content-Length says.</param>
/// <param name="isHeldToLength">Whether that is said of this content; an answer to HEAD tells of one that does not come.</param>
/// <param name="attempt">The attempt's clock.</param>
/// <param name="request">The client's content.</param>
internal sealed class ResponseContent(HttpResponseMessage response, Stream stream, long? length, bool isHeldToLength, Attempt attempt, RequestContent? request) : MessageBody
{
    private HeaderList? _trailers;
    private long _received;

    public override long? Length => length;

    public override HeaderList? Trailers => _trailers;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            var reading = stream.ReadAsync(buffer, attempt.Token);
            var waits = !reading.IsCompleted;
            if (waits)
            {
                attempt.Arm(FailureKind.IdleTimeout, attempt.Timeouts.Idle);
            }

            // The exchange's own token is watched already; any other only while we wait.
            using var cancelled = waits && cancellationToken != attempt.Aborted ? cancellationToken.UnsafeRegister(static state => ((Attempt)state!).Cancel(), attempt) : default;
            var read = await reading;
            if (waits)
            {
                // A client that is slower than the upstream is not the upstream's silence.
                attempt.Disarm();
            }

            _received += read;
            if (isHeldToLength && length is { } announced && (_received > announced || (read == 0 && _received < announced)))
            {
                // The handler counts for HTTP/1.1 and HTTP/2, and not for HTTP/3 (RFC 9114 4.1.2).
                throw new MessageBodyException(_received > announced ? UpstreamFailures.Overlong : UpstreamFailures.Truncated);
            }

            if (read == 0)
            {
                KeepTrailers();
            }

            return read;
        }
        catch (OperationCanceledException canceled)
        {
            throw new MessageBodyException(attempt.CancellationFailure(), canceled);
        }
        catch (Exception broken) when (broken is (IOException or HttpRequestException) and not MessageBodyException)
        {
            throw new MessageBodyException(attempt.RequestBodyFailure ?? UpstreamFailures.Truncated, broken);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        response.Dispose();
        if (request is not null && !request.Ended.IsCompleted)
        {
            // The answer is over while the client still sends: nobody may read the client's body after the exchange.
            attempt.Cancel();
            await request.Ended;
        }

        attempt.Dispose();
    }

    private void KeepTrailers()
    {
        foreach (var field in response.TrailingHeaders.NonValidated)
        {
            foreach (var value in field.Value)
            {
                (_trailers ??= new HeaderList()).Add(field.Key, value);
            }
        }
    }
}
