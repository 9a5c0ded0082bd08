using System.Net;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Benchmarks.Operations;

internal static class ReplyOperations
{
    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("reply: problem", Problem),
        ("record: make one", Record),
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

    private static Action Record()
    {
        // The recorder's own loop drains it meanwhile, on another thread, as in the gateway.
        var recorder = new ExchangeRecorder(TimeProvider.System, [], keepQueryValues: false, (_, failure) => throw failure);
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = new DiscardingWriter(), Direction = Direction.Ingress, Method = "GET" };
        exchange.Target = TargetOperations.Of("/v1/charges/ch_1MmlLrLkdIwHu7ix?expand=customer");
        exchange.Destination = "http://127.0.0.1:80";
        exchange.Answer(Outcome.Forwarded, 200);
        return () => recorder.Record(exchange);
    }
}
