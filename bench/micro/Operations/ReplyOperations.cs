using System.Net;
using Tidegate.Edge;
using Tidegate.Exchanges;

namespace Tidegate.Benchmarks.Operations;

internal static class ReplyOperations
{
    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("reply: problem", Problem),
    ];

    private static Action Problem()
    {
        var responder = new GatewayResponder(TimeProvider.System);
        var refusal = new Rejection("access", "method_not_allowed", 405, "This method is not allowed here. The Allow field lists those that are.") { Allow = "GET, POST" };
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = new DiscardingWriter(), Method = "DELETE" };
        return () =>
        {
            exchange.Reset();
            exchange.Method = "DELETE";
            exchange.Reject(refusal);
            AllOperations.Completed(responder.WriteProblemAsync(exchange));
            if (exchange.ResponseBodyBytes == 0)
            {
                throw new InvalidOperationException("The problem was not written.");
            }
        };
    }
}
