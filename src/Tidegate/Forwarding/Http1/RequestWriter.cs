using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding.Http1;

/// <summary>
/// Writes an exchange's request in HTTP/1.1: every end-to-end field as it came, the canonical target, framing of our own. Straight into the connection's buffer.
/// </summary>
internal static class RequestWriter
{
    /// <summary>Hex digits and CR LF before a chunk, CR LF after it.</summary>
    public const int ChunkPrefixBytes = 6;
    public const int ChunkSuffixBytes = 2;

    /// <summary>What four hex digits can say.</summary>
    public const int MaxChunkBytes = 0xFFFF;

    // Request line, Host, framing and Connection without their variable parts.
    private const int FixedBytes = 192;

    // Written anew below, meant for our hop only, or answered by our own edge (Expect).
    private const ulong NotPassedOn = (1UL << (int)KnownHeader.Host) | (1UL << (int)KnownHeader.Expect) | (1UL << (int)KnownHeader.TE);

    /// <summary>Writes the head.</summary>
    /// <param name="exchange">Whose request.</param>
    /// <param name="host">For Host; empty for the authority that the client asked for.</param>
    /// <param name="contentLength">Bytes; 0 without content, null for chunked.</param>
    /// <param name="output">Not flushed.</param>
    /// <returns>False, and nothing written, when a field or the target would break out of its line.</returns>
    public static bool TryWriteHead(Exchange exchange, ReadOnlySpan<byte> host, long? contentLength, PipeWriter output)
    {
        var target = exchange.Target;
        var fields = exchange.RequestHeaders;
        if (FieldSyntax.HasLineBreak(fields.Storage) && HasLineBreak(fields))
        {
            return false;
        }

        var protocolBytes = exchange.UpgradeProtocol is { } protocol ? protocol.Length : 0;
        var size = exchange.Method.Length + target.PathAndQuery.Length + Math.Max(host.Length, target.Authority.Length) + fields.ByteCount + (4 * fields.Count) + protocolBytes + FixedBytes;
        var head = new SpanWriter(output.GetSpan(size));
        head.Add(exchange.Method);
        head.Add((byte)' ');
        head.Add(target.PathAndQuery);
        head.Add(" HTTP/1.1\r\nHost: "u8);
        if (host.IsEmpty)
        {
            head.Add(target.Authority);
        }
        else
        {
            head.Add(host);
        }

        head.AddLineEnd();
        var passesTrailersOption = false;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (((NotPassedOn >> (int)field.Known) & 1) != 0 || FieldSyntax.IsOfTheConnection(field.Known))
            {
                // The only value that survives a hop (RFC 9110 10.1.4), and then Connection must name it.
                if (field.Known != KnownHeader.TE || !field.Value.SequenceEqual("trailers"u8))
                {
                    continue;
                }

                passesTrailersOption = true;
            }

            head.Add(field);
        }

        if (contentLength is null)
        {
            head.Add("Transfer-Encoding: chunked\r\n"u8);
        }
        else if (contentLength > 0 || AnticipatesContent(exchange.Method) || fields.Contains(KnownHeader.ContentLength))
        {
            head.Add("Content-Length: "u8);
            head.Add(contentLength.Value);
            head.AddLineEnd();
        }

        if (exchange.UpgradeProtocol is not null)
        {
            head.Add(passesTrailersOption ? "Connection: Upgrade, TE\r\nUpgrade: "u8 : "Connection: Upgrade\r\nUpgrade: "u8);
            head.Add(exchange.UpgradeProtocol);
            head.AddLineEnd();
        }
        else if (passesTrailersOption)
        {
            head.Add("Connection: TE\r\n"u8);
        }

        head.AddLineEnd();
        output.Advance(head.Length);
        return true;
    }

    /// <summary>Content that is there already, framed.</summary>
    public static void WriteContent(ReadOnlySpan<byte> content, bool isChunked, PipeWriter output)
    {
        if (!isChunked)
        {
            output.Write(content);
            return;
        }

        while (!content.IsEmpty)
        {
            var piece = content[..Math.Min(content.Length, MaxChunkBytes)];
            var span = output.GetSpan(ChunkPrefixBytes + piece.Length + ChunkSuffixBytes);
            piece.CopyTo(span[ChunkPrefixBytes..]);
            FrameChunk(span, piece.Length);
            output.Advance(ChunkPrefixBytes + piece.Length + ChunkSuffixBytes);
            content = content[piece.Length..];
        }
    }

    /// <summary>Writes size and ends around content that stands in its place already.</summary>
    public static void FrameChunk(Span<byte> chunk, int count)
    {
        count.TryFormat(chunk, out _, "X4", CultureInfo.InvariantCulture);
        "\r\n"u8.CopyTo(chunk[4..]);
        "\r\n"u8.CopyTo(chunk[(ChunkPrefixBytes + count)..]);
    }

    /// <summary>The last chunk and the trailers.</summary>
    public static void WriteEnd(HeaderList? trailers, PipeWriter output)
    {
        output.Write("0\r\n"u8);
        for (var i = 0; i < trailers?.Count; i++)
        {
            var field = trailers[i];
            if (FieldSyntax.IsOfTheConnection(field.Known) || field.Known is KnownHeader.Host or KnownHeader.TE or KnownHeader.Trailer || FieldSyntax.HasLineBreak(field.Value) || FieldSyntax.HasLineBreak(field.Name))
            {
                // RFC 9110 6.5.1: framing and routing must not change after the fact.
                continue;
            }

            output.Write(field.Name);
            output.Write(": "u8);
            output.Write(field.Value);
            output.Write("\r\n"u8);
        }

        output.Write("\r\n"u8);
    }

    /// <summary>RFC 9110 8.6: these methods give content a meaning, so that there is none must be said.</summary>
    private static bool AnticipatesContent(string method) => method is "POST" or "PUT" or "PATCH";

    private static bool HasLineBreak(HeaderList fields)
    {
        for (var i = 0; i < fields.Count; i++)
        {
            if (FieldSyntax.HasLineBreak(fields[i].Name) || FieldSyntax.HasLineBreak(fields[i].Value))
            {
                return true;
            }
        }

        return false;
    }

    private ref struct SpanWriter(Span<byte> span)
    {
        private readonly Span<byte> _span = span;

        public int Length { get; private set; }

        public void Add(byte value) => _span[Length++] = value;

        public void Add(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_span[Length..]);
            Length += bytes.Length;
        }

        public void Add(string text) => Length += Encoding.Latin1.GetBytes(text, _span[Length..]);

        public void Add(long number)
        {
            number.TryFormat(_span[Length..], out var length, provider: CultureInfo.InvariantCulture);
            Length += length;
        }

        public void Add(HeaderField field)
        {
            Add(field.Name);
            MemoryMarshal.Write(_span.Slice(Length, 2), BitConverter.IsLittleEndian ? (ushort)((' ' << 8) | ':') : (ushort)((':' << 8) | ' '));
            Length += 2;
            Add(field.Value);
            AddLineEnd();
        }

        public void AddLineEnd()
        {
            MemoryMarshal.Write(_span.Slice(Length, 2), BitConverter.IsLittleEndian ? (ushort)(('\n' << 8) | '\r') : (ushort)(('\r' << 8) | '\n'));
            Length += 2;
        }
    }
}
