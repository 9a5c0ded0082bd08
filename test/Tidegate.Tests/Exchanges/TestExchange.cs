using System.Net;
using System.Text;
using Tidegate.Benchmarks.Operations;
using Tidegate.Exchanges;

namespace Tidegate.Tests.Exchanges;

/// <summary>Exchanges as the edge would have made them, without an edge.</summary>
internal static class TestExchange
{
    public static Exchange Of(Direction direction, params (string Name, string Value)[] fields) => Of(direction, new ClientConnection { PeerAddress = IPAddress.Parse("192.0.2.7") }, fields);

    public static Exchange Of(Direction direction, ClientConnection connection, params (string Name, string Value)[] fields)
    {
        var exchange = new Exchange
        {
            Connection = connection,
            Client = new DiscardingWriter(),
            Direction = direction,
            Method = "GET",
            Target = new ExchangeTarget("http", "api.test", 80, "/", null),
        };
        foreach (var (name, value) in fields)
        {
            exchange.RequestHeaders.Add(name, value);
        }

        return exchange;
    }

    /// <summary>Each field as <c>Name: value</c>.</summary>
    public static IReadOnlyList<string> Lines(HeaderList list)
    {
        var lines = new List<string>();
        for (var i = 0; i < list.Count; i++)
        {
            lines.Add($"{Encoding.Latin1.GetString(list[i].Name)}: {Encoding.Latin1.GetString(list[i].Value)}");
        }

        return lines;
    }
}
