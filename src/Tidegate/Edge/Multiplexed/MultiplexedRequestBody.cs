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
        catch (BadHttpRequestException refused)
        {
            var kind = refused.StatusCode == StatusCodes.Status408RequestTimeout ? FailureKind.ClientBodyTimeout : FailureKind.ClientBodyMalformed;
            throw new MessageBodyException(new Failure(FailureSource.Client, kind, Retryable: false, kind == FailureKind.ClientBodyTimeout ? "The request's content came too slowly." : "The request's content is malformed."), refused);
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException || (gone is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new MessageBodyException(new Failure(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client ended its stream before its request was complete."), gone);
        }
    }

    /// <summary>Waits for the end of a request that says it has no content.</summary>
    /// <returns>False: some came, or the client broke it off.</returns>
    public async ValueTask<bool> EndsAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ReadAsync(new byte[1], cancellationToken) == 0;
        }
        catch (Exception broken) when (broken is MessageBodyException or OperationCanceledException)
        {
            return false;
        }
    }

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
