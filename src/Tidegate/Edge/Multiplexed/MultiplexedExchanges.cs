using Tidegate.Exchanges;

namespace Tidegate.Edge.Multiplexed;

/// <summary>
/// Exchanges of streams, lent while they last, with what was made for their forwarding. Given back only after one that ended as it should; whatever broke is left to the garbage collector,
/// since somebody may still hold it.
/// </summary>
internal static class MultiplexedExchanges
{
    // As for HTTP/1.1: the exchanges in flight on one thread at any sensible load.
    private const int MaxFreePerThread = 256;

    [ThreadStatic]
    private static Stack<Exchange>? _free;

    public static Exchange Rent(ClientConnection connection, ClientResponseWriter client)
    {
        if (_free?.TryPop(out var free) != true)
        {
            return new Exchange { Connection = connection, Client = client };
        }

        free!.Connection = connection;
        free.Client = client;
        return free;
    }

    public static void Return(Exchange exchange)
    {
        _free ??= new Stack<Exchange>();
        if (_free.Count < MaxFreePerThread)
        {
            exchange.Reset();
            exchange.Connection = null!;
            exchange.Client = null!;
            exchange.Aborted = default;
            _free.Push(exchange);
        }
    }
}
