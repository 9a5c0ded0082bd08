using Tidegate.Exchanges;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>The upstream's content. Ends only at its complete end; anything else is a <see cref="MessageBodyException"/>.</summary>
internal sealed class ResponseContent(HttpResponseMessage response, Stream stream, long? length, Attempt attempt, RequestContent? request) : MessageBody
{
    private HeaderList? _trailers;

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
        catch (Exception broken) when (broken is IOException or HttpRequestException)
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
