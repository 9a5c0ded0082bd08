using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using Tidegate.Edge;
using Tidegate.Edge.Http1;
using Tidegate.Exchanges;
using Tidegate.Fuzz.Inputs;

namespace Tidegate.Fuzz.Targets;

/// <summary>A request head: the same in pieces as whole, and accepted just when a plain reading of the rules accepts it, with the same meaning.</summary>
internal sealed partial class HeadTarget : FuzzTarget
{
    private static readonly EdgeLimits Limits = EdgeLimits.Default;

    public override string Name => "head";

    public override IReadOnlyList<byte[]> Seeds { get; } = Latin1(
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /v1/charges?expand=customer HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 12\r\nContent-Type: application/json\r\nAccept: */*\r\n\r\nhello world!",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nTrailer: x\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "GET http://a.test:81/x HTTP/1.0\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nCookie: a=1; b=\u00e9\r\n\r\n",
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nProxy-Authorization: Basic a2V5\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost:a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "\r\nDELETE /a HTTP/1.1\r\nhost:  a\t \r\nX-Empty:\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");

    public override IReadOnlyList<byte[]> Tokens { get; } = Latin1(
        "\r\n", "\r\n\r\n", "\n\n", "\r\r\n", "\n", "\r", "\r\n ", "\r\n\t", ": ", " :", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "GET ", "CONNECT ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "Host: b\r\n", "Content-Length: 5\r\n", "Content-Length: 0\r\n", "Content-Length: -0\r\n", "Content-Length: 5, 5\r\n", "Content_Length: 5\r\n", "Content-Length : 5\r\n",
        "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: CHUNKED\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: \x0bchunked\r\n", "Expect: 100-continue\r\n", "Connection: close\r\n", "Connection: content-length\r\n");

    public override void Check(byte[] input, Random random)
    {
        var whole = Read([input]);
        AreEqual(whole, Read(Pieces.Cut(input, random)), "in pieces it is read as something else");
        AreEqual(Reference(Encoding.Latin1.GetString(input)) ?? "refused", whole == "incomplete" ? "refused" : whole, "a plain reading of the rules says otherwise");
    }

    /// <summary>As a connection reads: with each piece that comes, everything is looked at again.</summary>
    private static string Read(IReadOnlyList<byte[]> pieces)
    {
        for (var count = 1; count <= pieces.Count; count++)
        {
            var buffer = HeadReader.SkipEmptyLine(Pieces.Chain(pieces.Take(count)));
            switch (HeadReader.Find(buffer, Limits.MaxHeadBytes, out var length))
            {
                case HeadState.Complete:
                    return Parse(buffer.Slice(0, length).ToArray());
                case HeadState.BadLineEnd or HeadState.TooLarge:
                    return "refused";
            }
        }

        return "incomplete";
    }

    private static string Parse(byte[] head)
    {
        var fields = new HeaderList();
        if (HeadParser.Parse(head, Limits, fields, out var parsed) is { } rejection)
        {
            Holds(rejection.Status is >= 400 and <= 505 && rejection.ClosesConnection, "a refused head leaves the connection open");
            return "refused";
        }

        var text = new StringBuilder($"{parsed.Method}|{Encoding.Latin1.GetString(head, parsed.TargetStart, parsed.TargetLength)}|{parsed.Version}|{parsed.ContentLength}");
        for (var i = 0; i < fields.Count; i++)
        {
            text.Append('|').Append(Encoding.Latin1.GetString(fields[i].Name)).Append('=').Append(Encoding.Latin1.GetString(fields[i].Value));
        }

        return text.ToString();
    }

    /// <summary>RFC 9112 3, 5 and 6.3 with every leniency taken out, for readers and not for speed. Null when the head must be refused or has no end.</summary>
    private static string? Reference(string text)
    {
        text = text.StartsWith("\r\n", StringComparison.Ordinal) ? text[2..] : text;
        var match = Head().Match(text);
        if (!match.Success || match.Length > Limits.MaxHeadBytes || match.Groups["target"].Length > Limits.MaxTargetBytes || match.Groups["name"].Captures.Count > Limits.MaxHeaderCount)
        {
            return null;
        }

        var fields = match.Groups["name"].Captures.Zip(match.Groups["value"].Captures, (name, value) => (Name: name.Value, Value: value.Value.Trim(' ', '\t'))).ToList();
        List<string> Values(string name) => [.. fields.Where(field => field.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(field => field.Value)];
        var (lengths, codings, hosts) = (Values("Content-Length"), Values("Transfer-Encoding"), Values("Host"));
        var isHttp11 = match.Groups["minor"].Value == "1";
        var length = codings.Count > 0 ? "-1" : lengths.Count > 0 ? lengths[0].TrimStart('0').PadLeft(1, '0') : "0";
        var isFramed = codings.Count > 0
            ? lengths.Count == 0 && codings.Count == 1 && isHttp11 && codings[0].Equals("chunked", StringComparison.OrdinalIgnoreCase)
            : lengths.Count == 0 || (lengths.Count == 1 && Digits().IsMatch(lengths[0]));
        return isFramed
            && (hosts.Count == 1 || (hosts.Count == 0 && !isHttp11))
            && (match.Groups["method"].Value != "CONNECT" || length == "0")
            && (Values("Expect") is not [{ } expectation, ..] || expectation.Equals("100-continue", StringComparison.OrdinalIgnoreCase))
                ? string.Join('|', [match.Groups["method"].Value, match.Groups["target"].Value, isHttp11 ? "Http11" : "Http10", length, .. fields.Select(field => $"{field.Name}={field.Value}")])
                : null;
    }

    [GeneratedRegex("^(?<method>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (?<target>[^ \r\n]+) HTTP/1\\.(?<minor>[01])\r\n(?:(?<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):(?<value>[\t -~\u0080-\u00ff]*)\r\n)*\r\n", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Head();

    [GeneratedRegex("^[0-9]{1,18}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Digits();
}
