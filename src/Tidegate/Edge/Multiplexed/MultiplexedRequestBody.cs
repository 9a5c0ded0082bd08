using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Multiplexed;

/// <summary>A request's content on an HTTP/2 or HTTP/3 stream. Kestrel checks it against <c>content-length</c> and the least data rate.</summary>
internal sealed class MultiplexedRequestBody(IFeatureCollection features, EdgeLimits limits) : MessageBody
{
    private static readonly Failure Malformed = new(FailureSource.Client, FailureKind.ClientBodyMalformed, Retryable: false, "The request's content is malformed.");
    private static readonly Failure TooSlow = new(FailureSource.Client, FailureKind.ClientBodyTimeout, Retryable: false, "The request's content came too slowly.");
    private static readonly Failure Gone = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client ended its stream before its request was complete.");

    private readonly PipeReader _input = features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
    private HeaderList? _trailers;

    public override long? Length { get; } = features.GetRequiredFeature<IHttpRequestFeature>().Headers.ContentLength;

    public override HeaderList? Trailers => _trailers;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var result = await _input.ReadAsync(cancellationToken);
                var count = (int)Math.Min(result.Buffer.Length, buffer.Length);
                result.Buffer.Slice(0, count).CopyTo(buffer.Span);
                _input.AdvanceTo(result.Buffer.GetPosition(count));
                if (count > 0)
                {
                    return count;
                }

                if (result.IsCompleted)
                {
                    ReadTrailers();
                    return 0;
                }
            }
        }
        catch (Exception broken) when (FailureOf(broken) is not null)
        {
            throw new MessageBodyException(FailureOf(broken)!, broken);
        }
        catch (OperationCanceledException gone) when (!cancellationToken.IsCancellationRequested)
        {
            throw new MessageBodyException(Gone, gone);
        }
    }

    /// <summary>Waits for the end of a request that says it has no content.</summary>
    /// <param name="limit">For how long.</param>
    /// <param name="time">The clock.</param>
    /// <param name="aborted">The exchange's own cancellation.</param>
    /// <returns>What came instead; null when it ended as it said.</returns>
    public async ValueTask<Failure?> EndAsync(TimeSpan limit, TimeProvider time, CancellationToken aborted)
    {
        try
        {
            // As a rule the end has come with the head, or right behind it.
            if (TryReadEnd())
            {
                return null;
            }

            using var tooLate = new CancellationTokenSource(limit, time);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(tooLate.Token, aborted);
            return await ReadAsync(new byte[1], over.Token) == 0 ? null : Malformed;
        }
        catch (MessageBodyException broken)
        {
            return broken.Failure;
        }
        catch (OperationCanceledException)
        {
            return aborted.IsCancellationRequested ? Gone : TooSlow;
        }
    }

    private bool TryReadEnd()
    {
        try
        {
            if (!_input.TryRead(out var read))
            {
                return false;
            }

            _input.AdvanceTo(read.Buffer.Start);
            if (!read.IsCompleted || !read.Buffer.IsEmpty)
            {
                return false;
            }

            ReadTrailers();
            return true;
        }
        catch (Exception broken) when (FailureOf(broken) is not null)
        {
            throw new MessageBodyException(FailureOf(broken)!, broken);
        }
    }

    /// <summary>What it means that reading threw; null when that says nothing of the client.</summary>
    private static Failure? FailureOf(Exception broken) => broken switch
    {
        BadHttpRequestException { StatusCode: StatusCodes.Status408RequestTimeout } => TooSlow,
        BadHttpRequestException => Malformed,
        IOException or ConnectionAbortedException => Gone,
        _ => null,
    };

    private void ReadTrailers()
    {
        if (_trailers is not null || features.Get<IHttpRequestTrailersFeature>() is not { Available: true, Trailers: { Count: > 0 } trailers })
        {
            return;
        }

        var read = new HeaderList();
        foreach (var (name, values) in trailers)
        {
            foreach (var value in values)
            {
                if (read.Count == limits.MaxHeaderCount || MultiplexedHead.Add(read, name, value ?? "") is not null)
                {
                    throw new MessageBodyException(new Failure(FailureSource.Client, FailureKind.ClientBodyMalformed, Retryable: false, "The request's trailers are malformed."));
                }
            }
        }

        _trailers = read;
    }
}
