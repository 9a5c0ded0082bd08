using System.Text;
using Tidegate.Edge.Http1;
using Tidegate.Edge.Multiplexed;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Http1;

namespace Tidegate.Fuzz.Targets;

/// <summary>A field line: the edge, the upstream client and HTTP/2 agree on what is one, and on its name and value.</summary>
internal sealed class FieldTarget : FuzzTarget
{
    public override string Name => "field";

    public override IReadOnlyList<byte[]> Seeds { get; } = Latin1(
        "Host: a", "x-empty:", "X-Tabs:\t a\tb \t", "Cookie: a=1; b=\"2\"", "Content-Type:application/json", "!#$%&'*+-.^_`|~09azAZ: \u00e9\u00ff", "te: trailers", "transfer-encoding: chunked");

    public override IReadOnlyList<byte[]> Tokens { get; } = Latin1(":", " :", ": ", "\t", " ", "\0", "\r", "\n", "\r\n", "\x7f", "\u0080", "\u00a0", "(", "\"", "connection", "TE", "trailers", "upgrade");

    public override void Check(byte[] input, Random random)
    {
        // A line comes without its end.
        var end = input.AsSpan().IndexOf((byte)'\n');
        var line = end < 0 ? input : input[..end];
        if (line.Length == 0)
        {
            return;
        }

        var fields = new HeaderList();
        var edge = HeadParser.ParseField(line, fields) is null;
        var upstream = FieldSyntax.TrySplit(line, out var name, out var value);
        Holds(edge == upstream, $"the edge says {edge}, the upstream client says {upstream}");
        var colon = line.AsSpan().IndexOf((byte)':');
        var (before, behind) = (Encoding.Latin1.GetString(line.AsSpan(0, Math.Max(0, colon))), Encoding.Latin1.GetString(line.AsSpan(colon + 1)).Trim(' ', '\t'));
        var multiplexed = new HeaderList();
        var isMultiplexed = MultiplexedHead.Add(multiplexed, before, behind) is null;
        if (!edge)
        {
            Holds(colon < 0 || !isMultiplexed, "HTTP/2 accepts what HTTP/1.1 does not");
            return;
        }

        AreEqual(Show(fields[0].Name, fields[0].Value), Show(name, value), "the upstream client reads something else than the edge");
        AreEqual(Show(fields[0].Name, fields[0].Value), $"{before}={behind}", "the line says something else");

        // The name of an accepted field is short enough for HTTP/2 or not; what belongs to the connection is refused there.
        Holds(isMultiplexed || multiplexed.Count == 1 || before.Length > 256, "HTTP/2 refuses what HTTP/1.1 accepts");
        Holds(!isMultiplexed || Show(multiplexed[0].Name, multiplexed[0].Value) == $"{before}={behind}", "HTTP/2 keeps something else");
    }

    private static string Show(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => $"{Encoding.Latin1.GetString(name)}={Encoding.Latin1.GetString(value)}";
}
