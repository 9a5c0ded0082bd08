using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge.Multiplexed;

/// <summary>Writes one response onto an HTTP/2 or HTTP/3 stream of Kestrel's.</summary>
internal sealed class MultiplexedResponseWriter(IFeatureCollection features, ProtocolVersion protocol, IHttpExtendedConnectFeature? extendedConnect, EdgeLimits limits, Deadlines deadlines) : ClientResponseWriter
{
    // RFC 9113 7 INTERNAL_ERROR, RFC 9114 8.1 H3_INTERNAL_ERROR: what came is not all.
    private const int Http2InternalError = 0x2;
    private const int Http3InternalError = 0x102;

    private readonly IHttpResponseFeature _response = features.GetRequiredFeature<IHttpResponseFeature>();
    private readonly IHttpResponseBodyFeature _body = features.GetRequiredFeature<IHttpResponseBodyFeature>();
    private StallTimer? _stall;
    private bool _started;
    private bool _hasUnflushed;
    private long _written;

    /// <summary>The whole answer is Kestrel's.</summary>
    public bool IsComplete { get; private set; }

    private PipeWriter Output => _body.Writer;

    public override bool HasStarted => _started;

    public override long BodyBytesWritten => _written;

    /// <summary>Kestrel sends the 100 itself when the content is first read, and offers no other interim response.</summary>
    public override ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken) => default;

    public override void Start(int status, HeaderList headers, long? contentLength)
    {
        _started = true;
        _response.StatusCode = status;
        Copy(headers, _response.Headers);
        if (contentLength is { } length && status != StatusCodes.Status204NoContent)
        {
            _response.Headers.ContentLength = length;
        }
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => Output.GetMemory(sizeHint);

    public override void Advance(int count)
    {
        _written += count;
        _hasUnflushed = true;
        Output.Advance(count);
    }

    public override ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        _hasUnflushed = false;
        var flushing = Output.FlushAsync(cancellationToken);
        if (!flushing.IsCompletedSuccessfully)
        {
            return WaitAsync(flushing);
        }

        var result = flushing.GetAwaiter().GetResult();
        return result.IsCompleted || result.IsCanceled ? ValueTask.FromException(Gone()) : default;
    }

    public override async ValueTask CompleteAsync(HeaderList? trailers, CancellationToken cancellationToken)
    {
        // Completing sends what is left on HTTP/2, with the end of the stream in the same frame; on HTTP/3 Kestrel throws it away.
        if (_hasUnflushed && protocol == ProtocolVersion.Http3)
        {
            await FlushAsync(cancellationToken);
        }

        if (trailers is { Count: > 0 } && features.Get<IHttpResponseTrailersFeature>() is { } feature)
        {
            Copy(trailers, feature.Trailers);
        }

        await _body.CompleteAsync();
        _stall?.Dispose();
        IsComplete = true;
    }

    /// <summary>Kestrel's own least rate does not count the time in which a client opens no window.</summary>
    private async ValueTask WaitAsync(ValueTask<FlushResult> flushing)
    {
        _stall ??= new StallTimer(Output, deadlines);
        if ((await _stall.WaitAsync(flushing, limits.StallTimeout)).IsCompleted)
        {
            throw Gone();
        }
    }

    private static IOException Gone() => new("The client closed its stream.");

    /// <summary>An extended CONNECT's answer, or a CONNECT's (RFC 9113 8.5): from here on the stream's content is the connection.</summary>
    public override async ValueTask<Stream> SwitchProtocolsAsync(int status, HeaderList headers, CancellationToken cancellationToken)
    {
        _started = true;
        headers.Remove(KnownHeader.Upgrade);
        headers.Remove("Sec-WebSocket-Accept"u8);
        Copy(headers, _response.Headers);
        _response.StatusCode = StatusCodes.Status200OK;
        if (extendedConnect is not null)
        {
            return await extendedConnect.AcceptAsync();
        }

        await _body.StartAsync(cancellationToken);
        await Output.FlushAsync(cancellationToken);
        return new DuplexStream(features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader, Output);
    }

    public override void Abort()
    {
        _stall?.Dispose();
        features.Get<IHttpResetFeature>()?.Reset(protocol == ProtocolVersion.Http3 ? Http3InternalError : Http2InternalError);
    }

    public override void CloseAfterReply()
    {
        // A stream ends alone: what follows on the connection has its own frames and can be trusted.
    }

    private static void Copy(HeaderList fields, IHeaderDictionary into)
    {
        // A cookie is one client's: it does not come again, and nobody else need keep it.
        var texts = FieldTexts.OfThread;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (field.Known is not (KnownHeader.ContentLength or KnownHeader.TransferEncoding or KnownHeader.Connection))
            {
                into.Append(field.Known == KnownHeader.None ? texts.Of(field.Name) : KnownHeaders.Name(field.Known), field.Known == KnownHeader.SetCookie ? Encoding.Latin1.GetString(field.Value) : texts.Of(field.Value));
            }
        }
    }
}
