using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.WebUtilities;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge.Http1;

/// <summary>Writes one response onto an HTTP/1.1 connection: <c>Content-Length</c>, chunked, or until the connection closes.</summary>
internal sealed class Http1ResponseWriter : ClientResponseWriter
{
    // Four hex digits and CR LF before a chunk, CR LF after it: written around the bytes in place, so nothing is copied.
    private const int ChunkPrefixBytes = 6;
    private const int ChunkSuffixBytes = 2;
    private const int MaxChunkBytes = 0xFFFF;

    private static readonly HeaderList NoFields = new();

    private ConnectionContext _transport = null!;
    private PipeWriter _output = null!;
    private EdgeLimits _limits = EdgeLimits.Default;
    private StallTimer _stall = null!;
    private DrainSignal _drain = null!;
    private ProtocolVersion _clientProtocol;
    private string _method = "";
    private Memory<byte> _chunk;
    private long? _announced;
    private bool _chunked;
    private bool _hasNoBody;
    private bool _started;
    private long _written;

    /// <summary>The content that the answer is to.</summary>
    public Http1RequestBody Request { private get; set; } = null!;

    public override bool HasStarted => _started;

    public override long BodyBytesWritten => _written;

    /// <summary>Whether the connection may carry another request.</summary>
    public bool KeepAlive { get; private set; }

    /// <summary>The response ended as it should.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>The connection is a raw stream now.</summary>
    public bool HasSwitched { get; private set; }

    /// <summary>Begins the answer to the next request.</summary>
    /// <param name="transport">The client's connection.</param>
    /// <param name="limits">The listener's.</param>
    /// <param name="stall">The connection's.</param>
    /// <param name="clientProtocol">What the client spoke.</param>
    /// <param name="method">The request's.</param>
    /// <param name="keepAlive">Whether client and gateway want to go on after it.</param>
    /// <param name="drain">Says when the gateway does not any more.</param>
    public void Begin(ConnectionContext transport, EdgeLimits limits, StallTimer stall, ProtocolVersion clientProtocol, string method, bool keepAlive, DrainSignal drain)
    {
        _transport = transport;
        _output = transport.Transport.Output;
        _limits = limits;
        _stall = stall;
        _clientProtocol = clientProtocol;
        _method = method;
        KeepAlive = keepAlive;
        _drain = drain;
    }

    /// <summary>Forgets everything.</summary>
    public void Reset()
    {
        _transport = null!;
        _output = null!;
        _stall = null!;
        _drain = null!;
        _chunk = default;
        _announced = null;
        _chunked = false;
        _hasNoBody = false;
        _started = false;
        _written = 0;
        IsComplete = false;
        HasSwitched = false;
    }

    /// <summary>Tells a client that waits for it to send its content (RFC 9110 10.1.1); nothing once the answer has begun.</summary>
    public ValueTask WriteContinueAsync(CancellationToken cancellationToken) => WriteInformationalAsync(100, NoFields, cancellationToken);

    public override async ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken)
    {
        // RFC 9110 15.2: an HTTP/1.0 client does not know 1xx.
        if (_clientProtocol != ProtocolVersion.Http10 && !_started)
        {
            WriteHead(status, headers);
            _output.Write("\r\n"u8);
            await FlushAsync(cancellationToken);
        }
    }

    public override void Start(int status, HeaderList headers, long? contentLength)
    {
        _started = true;
        _announced = contentLength;

        // Announced, so that the client does not send its next request into a connection that closes: the content may never come, or is too much to read away.
        KeepAlive = KeepAlive && !_drain.IsDraining && !Request.IsAwaited && !(Request.Remaining > _limits.MaxDrainBytes);
        _hasNoBody = _method == "HEAD" || status is 204 or 304;
        WriteHead(status, headers);
        if (contentLength is { } length && status is not 204)
        {
            WriteNumber("Content-Length: "u8, length);
        }
        else if (contentLength is null && !_hasNoBody)
        {
            _chunked = _clientProtocol == ProtocolVersion.Http11;
            if (_chunked)
            {
                _output.Write("Transfer-Encoding: chunked\r\n"u8);
            }
            else
            {
                KeepAlive = false;
            }
        }

        _output.Write(!KeepAlive ? "Connection: close\r\n\r\n"u8 : _clientProtocol == ProtocolVersion.Http10 ? "Connection: keep-alive\r\n\r\n"u8 : "\r\n"u8);
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (!_chunked)
        {
            return _output.GetMemory(sizeHint);
        }

        _chunk = _output.GetMemory(Math.Max(sizeHint, 1) + ChunkPrefixBytes + ChunkSuffixBytes);
        return _chunk.Slice(ChunkPrefixBytes, Math.Min(_chunk.Length - ChunkPrefixBytes - ChunkSuffixBytes, MaxChunkBytes));
    }

    public override void Advance(int count)
    {
        if (count == 0)
        {
            return;
        }

        _written += count;
        if (_hasNoBody || _written > _announced)
        {
            throw new InvalidOperationException("More content than the head announced.");
        }

        if (!_chunked)
        {
            _output.Advance(count);
            return;
        }

        var chunk = _chunk.Span;
        count.TryFormat(chunk, out _, "X4", CultureInfo.InvariantCulture);
        "\r\n"u8.CopyTo(chunk[4..]);
        "\r\n"u8.CopyTo(chunk[(ChunkPrefixBytes + count)..]);
        _output.Advance(ChunkPrefixBytes + count + ChunkSuffixBytes);
    }

    public override ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        var flushing = _output.FlushAsync(cancellationToken);
        if (!flushing.IsCompletedSuccessfully)
        {
            return WaitAsync(flushing);
        }

        ThrowIfGone(flushing.GetAwaiter().GetResult());
        return default;
    }

    public override ValueTask CompleteAsync(HeaderList? trailers, CancellationToken cancellationToken)
    {
        if (!_hasNoBody && _announced is { } length && _written != length)
        {
            throw new InvalidOperationException("Less content than the head announced.");
        }

        if (_chunked)
        {
            _output.Write("0\r\n"u8);
            WriteTrailers(trailers);
            _output.Write("\r\n"u8);
        }

        IsComplete = true;
        return FlushAsync(cancellationToken);
    }

    public override async ValueTask<Stream> SwitchProtocolsAsync(int status, HeaderList headers, CancellationToken cancellationToken)
    {
        _started = true;
        HasSwitched = true;
        WriteHead(status, headers);
        _output.Write(status == 101 ? "Connection: Upgrade\r\n\r\n"u8 : "\r\n"u8);
        await FlushAsync(cancellationToken);
        return new DuplexStream(_transport.Transport.Input, _output);
    }

    public override void Abort()
    {
        KeepAlive = false;
        _transport.Abort(new ConnectionAbortedException("The exchange broke after its response had begun."));
    }

    public override void CloseAfterReply() => KeepAlive = false;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask WaitAsync(ValueTask<FlushResult> flushing)
    {
        ThrowIfGone(await _stall.WaitAsync(flushing, _limits.StallTimeout));
    }

    private static void ThrowIfGone(FlushResult result)
    {
        if (result.IsCompleted)
        {
            throw new IOException("The client closed the connection.");
        }
    }

    /// <summary>Status line and fields, in one piece of memory.</summary>
    private void WriteHead(int status, HeaderList headers)
    {
        // "HTTP/1.1 ", three digits, a space, the longest reason phrase (31) and CR LF.
        var head = _output.GetSpan(64 + WireBytes(headers));
        "HTTP/1.1 "u8.CopyTo(head);
        var length = 9;
        status.TryFormat(head[length..], out var digits, provider: CultureInfo.InvariantCulture);
        length += digits;
        head[length++] = (byte)' ';
        length += Encoding.ASCII.GetBytes(ReasonPhrases.GetReasonPhrase(status), head[length..]);
        "\r\n"u8.CopyTo(head[length..]);
        length += 2;
        _output.Advance(length + WriteFields(headers, head[length..]));
    }

    private void WriteTrailers(HeaderList? trailers)
    {
        if (trailers is not null)
        {
            _output.Advance(WriteFields(trailers, _output.GetSpan(WireBytes(trailers))));
        }
    }

    // Colon, space, CR and LF for each.
    private static int WireBytes(HeaderList fields) => fields.ByteCount + (4 * fields.Count);

    private static int WriteFields(HeaderList fields, Span<byte> into)
    {
        var length = 0;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (field.Known is KnownHeader.ContentLength or KnownHeader.TransferEncoding or KnownHeader.Connection)
            {
                continue;
            }

            field.Name.CopyTo(into[length..]);
            length += field.Name.Length;
            into[length++] = (byte)':';
            into[length++] = (byte)' ';
            field.Value.CopyTo(into[length..]);
            length += field.Value.Length;
            into[length++] = (byte)'\r';
            into[length++] = (byte)'\n';
        }

        return length;
    }

    private void WriteNumber(ReadOnlySpan<byte> name, long number)
    {
        // A long has at most 19 digits.
        var line = _output.GetSpan(name.Length + 22);
        name.CopyTo(line);
        number.TryFormat(line[name.Length..], out var digits, provider: CultureInfo.InvariantCulture);
        "\r\n"u8.CopyTo(line[(name.Length + digits)..]);
        _output.Advance(name.Length + digits + 2);
    }
}
