using System.Text;
using System.Text.RegularExpressions;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Http1;
using Tidegate.Fuzz.Inputs;

namespace Tidegate.Fuzz.Targets;

/// <summary>An upstream's answer: head and chunked content mean the same in pieces as whole, and the content is what a plain reading of it says.</summary>
internal sealed partial class ResponseTarget : FuzzTarget
{
    public override string Name => "response";

    public override IReadOnlyList<byte[]> Seeds { get; } = Latin1(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n5\r\nhello\r\n1;ext=\"x\"\r\n \r\n0\r\nX-Trailer: 1\r\nTE: x\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw",
        "HTTP/1.0 200 OK\r\nServer: old\r\nConnection: keep-alive\r\n\r\nuntil the end",
        "HTTP/1.1 204\r\nX:\t y \r\n\r\n");

    public override IReadOnlyList<byte[]> Tokens { get; } = Latin1(
        "\r\n", "\r\n\r\n", "\n", "\r", "\r\n ", " :", "HTTP/1.1 ", "HTTP/1.0 ", "HTTP/1.1 200", "HTTP/1.1 99 ", "HTTP/1.1 600 ", "HTTP/1.1 101 x\r\n", "ICY 200 OK\r\n",
        "Content-Length: 5\r\n", "Content-Length: 0\r\n", "Content-Length: +5\r\n", "Content-Length: 5,5\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Connection: close\r\n", "Connection: content-length, x\r\n", "Upgrade: h2c\r\n", "5\r\nhello\r\n", "0\r\n\r\n", ";a=b");

    public override void Check(byte[] input, Random random)
    {
        var whole = Read([input], 4_096, out var contentAt);
        AreEqual(whole, Read(Pieces.Cut(input, random), random.Next(1, 40), out _), "in pieces it is read as something else");
        Holds(!whole.StartsWith("Complete", StringComparison.Ordinal) || Status().IsMatch(whole), "an impossible status is accepted");
        if (contentAt < 0)
        {
            return;
        }

        var expected = PlainChunks.Read(Encoding.Latin1.GetString(input.AsSpan(contentAt)), ResponseHead.MaxBytes, trailerLineBytes: 2, out _);
        AreEqual(WithoutHopByHop(expected), whole[(whole.IndexOf('\n', StringComparison.Ordinal) + 1)..], "a plain reading of its chunks says otherwise");
    }

    /// <summary>The head in one line, then for chunked content how it ends, the content and the trailers.</summary>
    private static string Read(IReadOnlyList<byte[]> pieces, int bufferBytes, out int contentAt)
    {
        var head = default(ResponseHead);
        var (final, interim) = (new HeaderList(), new HeaderList());
        var progress = HeadProgress.Incomplete;
        List<byte> held = [];
        var (next, read) = (0, 0);
        contentAt = -1;
        while (progress == HeadProgress.Incomplete && next < pieces.Count)
        {
            held.AddRange(pieces[next++]);
            progress = head.Read(held.ToArray(), final, interim, out var consumed);
            Holds(consumed <= held.Count, "more is consumed than there is");
            held.RemoveRange(0, consumed);
            read += consumed;
        }

        if (progress != HeadProgress.Complete)
        {
            Holds(progress == HeadProgress.Incomplete || head.Problem is not null, "nobody says what is wrong");
            return progress.ToString();
        }

        var text = new StringBuilder($"Complete {head.Status} {head.Version} {head.ContentLength} {head.IsChunked} {head.IsPersistent} {head.SaysUpgrade}");
        Append(text, final);
        Append(text, interim);
        if (!head.IsChunked)
        {
            return text.ToString();
        }

        contentAt = read;
        return text.Append('\n').Append(Content(held, pieces.Skip(next), bufferBytes)).ToString();
    }

    private static string Content(List<byte> held, IEnumerable<byte[]> more, int bufferBytes)
    {
        var chunks = default(ChunkedContent);
        HeaderList? trailers = null;
        var content = new StringBuilder();
        var buffer = new byte[bufferBytes];
        using var coming = more.GetEnumerator();
        while (true)
        {
            var count = chunks.Take(held.ToArray(), buffer, ref trailers, out var consumed);
            held.RemoveRange(0, consumed);
            if (count < 0)
            {
                return $"malformed{PlainChunks.Separator}{content}{PlainChunks.Separator}";
            }

            content.Append(Encoding.Latin1.GetString(buffer, 0, count));
            if (chunks.IsEnded)
            {
                var text = new StringBuilder();
                for (var i = 0; i < trailers?.Count; i++)
                {
                    text.Append(Encoding.Latin1.GetString(trailers[i].Name)).Append('=').Append(Encoding.Latin1.GetString(trailers[i].Value)).Append('\n');
                }

                return $"complete{PlainChunks.Separator}{content}{PlainChunks.Separator}{text}";
            }

            if (count > 0)
            {
                continue;
            }

            if (!coming.MoveNext())
            {
                return $"truncated{PlainChunks.Separator}{content}{PlainChunks.Separator}";
            }

            held.AddRange(coming.Current);
        }
    }

    private static void Append(StringBuilder text, HeaderList fields)
    {
        for (var i = 0; i < fields.Count; i++)
        {
            text.Append('|').Append(Encoding.Latin1.GetString(fields[i].Name)).Append('=').Append(Encoding.Latin1.GetString(fields[i].Value));
        }
    }

    /// <summary>Trailers that would change the framing are dropped, not refused.</summary>
    private static string WithoutHopByHop(string content)
    {
        var trailers = content.LastIndexOf(PlainChunks.Separator) + 1;
        return !content.StartsWith("complete", StringComparison.Ordinal) ? content : content[..trailers] + string.Concat(content[trailers..]
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !FieldSyntax.IsOfTheConnection(KnownHeaders.Identify(Encoding.Latin1.GetBytes(line[..line.IndexOf('=', StringComparison.Ordinal)]))))
            .Select(line => line + "\n"));
    }

    [GeneratedRegex("^Complete [1-5][0-9]{2} Http1[01] ", RegexOptions.CultureInvariant)]
    private static partial Regex Status();
}
