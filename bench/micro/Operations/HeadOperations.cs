using System.Buffers;
using System.Net;
using Tidegate.Edge;
using Tidegate.Edge.Http1;
using Tidegate.Exchanges;

namespace Tidegate.Benchmarks.Operations;

internal static class HeadOperations
{
    /// <summary>What a service's HTTP client sends, with an API key.</summary>
    public static readonly byte[] TypicalHead = """
        GET /v1/charges/ch_1MmlLrLkdIwHu7ix?expand=customer HTTP/1.1
        Host: api0.example.com
        User-Agent: billing-service/4.17 (linux; x64)
        Accept: application/json
        Accept-Encoding: gzip, br
        X-Api-Key: key-of-billing-4f8a1c7730d94b1e
        X-Request-Id: 9be1d6f2-4b7e-4a7c-8a63-1ac2f0c8f7a1
        Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01


        """.ReplaceLineEndings("\r\n").Select(character => (byte)character).ToArray();

    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("head: find its end", Find),
        ("head: parse a typical one", Parse),
        ("head: clean its fields", Clean),
        ("headers: copy a typical list", Copy),
        ("headers: a new list", NewList),
    ];

    /// <summary>The typical head's fields.</summary>
    public static HeaderList Typical()
    {
        var fields = new HeaderList();
        return HeadParser.Parse(TypicalHead, EdgeLimits.Default, fields, out _) is null ? fields : throw new InvalidOperationException("The typical head is refused.");
    }

    private static Action Find()
    {
        var bytes = new ReadOnlySequence<byte>(TypicalHead);
        return () =>
        {
            if (HeadReader.Find(bytes, EdgeLimits.Default.MaxHeadBytes, out _) != HeadState.Complete)
            {
                throw new InvalidOperationException("The typical head is not complete.");
            }
        };
    }

    private static Action Parse()
    {
        var fields = new HeaderList();
        return () =>
        {
            fields.Clear();
            if (HeadParser.Parse(TypicalHead, EdgeLimits.Default, fields, out _) is not null)
            {
                throw new InvalidOperationException("The typical head is refused.");
            }
        };
    }

    private static Action Clean()
    {
        var typical = Typical();
        var settings = new ListenerSettings { Name = "ingress", Direction = Direction.Ingress, Address = new IPEndPoint(IPAddress.Loopback, 0) };
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = new DiscardingWriter(), Direction = Direction.Ingress, Method = "GET" };
        exchange.Target = TargetOperations.Of("/");
        return () =>
        {
            exchange.RequestHeaders.Clear();
            exchange.RequestHeaders.AddAll(typical);
            HeaderHygiene.CleanRequest(exchange, settings);
        };
    }

    private static Action Copy()
    {
        var (from, to) = (Typical(), new HeaderList());
        return () =>
        {
            to.Clear();
            to.AddAll(from);
        };
    }

    private static Action NewList()
    {
        var from = Typical();
        return () =>
        {
            var list = new HeaderList();
            list.AddAll(from);
            list.Release();
        };
    }
}
