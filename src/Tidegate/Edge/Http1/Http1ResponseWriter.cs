using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.WebUtilities;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Http1;

/// <summary>Writes one response onto an HTTP/1.1 connection: <c>Content-Length</c>, chunked, or until the connection closes.</summary>
internal sealed class Http1ResponseWriter(ConnectionContext transport, ProtocolVersion clientProtocol, string method, bool keepAlive) : ClientResponseWriter
{
    // Four hex digits and CR LF before a chunk, CR LF after it: written around the bytes in place, so nothing is copied.
    private const int ChunkPrefixBytes = 6;
    private const int ChunkSuffixBytes = 2;
    private const int MaxChunkBytes = 0xFFFF;

    private readonly PipeWriter _output = transport.Transport.Output;
    private Memory<byte> _chunk;
    private long? _announced;
    private bool _chunked;
    private bool _hasNoBody;
    private bool _started;
    private long _written;

    public override bool HasStarted => _started;

    public override long BodyBytesWritten => _written;

    /// <summary>Whether the connection may carry another request.</summary>
    public bool KeepAlive { get; private set; } = keepAlive;

    /// <summary>The response ended as it should.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>The connection is a raw stream now.</summary>
    public bool HasSwitched { get; private set; }

    public override async ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken)
    {
        // RFC 9110 15.2: an HTTP/1.0 client does not know 1xx.
        if (clientProtocol != ProtocolVersion.Http10 && !_started)
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
        _hasNoBody = method == "HEAD" || status is 204 or 304;
        WriteHead(status, headers);
        if (contentLength is { } length && status is not 204)
        {
            WriteNumber("Content-Length: "u8, length);
        }
        else if (contentLength is null && !_hasNoBody)
        {
            _chunked = clientProtocol == ProtocolVersion.Http11;
            if (_chunked)
            {
                _output.Write("Transfer-Encoding: chunked\r\n"u8);
            }
            else
            {
                KeepAlive = false;
            }
        }

        _output.Write(!KeepAlive ? "Connection: close\r\n\r\n"u8 : clientProtocol == ProtocolVersion.Http10 ? "Connection: keep-alive\r\n\r\n"u8 : "\r\n"u8);
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

    public override async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        var result = await _output.FlushAsync(cancellationToken);
        if (result.IsCompleted)
        {
            throw new IOException("The client closed the connection.");
        }
    }

    public override async ValueTask CompleteAsync(HeaderList? trailers, CancellationToken cancellationToken)
    {
        if (!_hasNoBody && _announced is { } length && _written != length)
        {
            throw new InvalidOperationException("Less content than the head announced.");
        }

        if (_chunked)
        {
            _output.Write("0\r\n"u8);
            WriteFields(trailers);
            _output.Write("\r\n"u8);
        }

        IsComplete = true;
        await FlushAsync(cancellationToken);
    }

    public override async ValueTask<Stream> SwitchProtocolsAsync(int status, HeaderList headers, CancellationToken cancellationToken)
    {
        _started = true;
        HasSwitched = true;
        WriteHead(status, headers);
        _output.Write(status == 101 ? "Connection: Upgrade\r\n\r\n"u8 : "\r\n"u8);
        await FlushAsync(cancellationToken);
        return new DuplexStream(transport.Transport.Input, _output);
    }

    public override void Abort()
    {
        KeepAlive = false;
        transport.Abort(new ConnectionAbortedException("The exchange broke after its response had begun."));
    }

    public override void CloseAfterReply() => KeepAlive = false;

    private void WriteHead(int status, HeaderList headers)
    {
        _output.Write("HTTP/1.1 "u8);
        Span<byte> line = stackalloc byte[96];
        status.TryFormat(line, out var length, provider: CultureInfo.InvariantCulture);
        line[length++] = (byte)' ';
        length += Encoding.ASCII.GetBytes(ReasonPhrases.GetReasonPhrase(status), line[length..]);
        "\r\n"u8.CopyTo(line[length..]);
        _output.Write(line[..(length + 2)]);
        WriteFields(headers);
    }

    private void WriteFields(HeaderList? fields)
    {
        for (var i = 0; i < fields?.Count; i++)
        {
            var field = fields[i];
            if (field.Known is KnownHeader.ContentLength or KnownHeader.TransferEncoding or KnownHeader.Connection)
            {
                continue;
            }

            _output.Write(field.Name);
            _output.Write(": "u8);
            _output.Write(field.Value);
            _output.Write("\r\n"u8);
        }
    }

    private void WriteNumber(ReadOnlySpan<byte> name, long number)
    {
        Span<byte> digits = stackalloc byte[20];
        number.TryFormat(digits, out var length, provider: CultureInfo.InvariantCulture);
        _output.Write(name);
        _output.Write(digits[..length]);
        _output.Write("\r\n"u8);
    }
}
