using System.Net.Security;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.SocketsHttp;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>Our own HTTP/1.1 to upstreams. A destination that turns out to speak HTTP/2 is handed over to the client that does.</summary>
/// <param name="connector">Opens connections.</param>
/// <param name="http2">The client for HTTP/2.</param>
/// <param name="deadlines">For the connections' timeouts.</param>
/// <param name="source">Knows whose connections the running thread may use.</param>
internal sealed class Http1Client(UpstreamConnector connector, SocketsHttpClient http2, Deadlines deadlines, ConnectionSource source) : IUpstreamClient
{
    private readonly ConnectionOpener _opener = new(connector, deadlines);

    public TimeProvider Time => deadlines.Time;

    public Deadlines Deadlines => deadlines;

    /// <summary>Whose connections the running thread may use.</summary>
    public int Partition => source.CurrentPartition;

    /// <inheritdoc/>
    public ValueTask ForwardAsync(Exchange exchange, Upstream upstream, ConnectionPool pool, long now)
    {
        if (pool.Key.Alpn == Alpn.Either && pool.Learned == LearnedProtocol.Http2)
        {
            return HandOverAsync(exchange, upstream, pool, null);
        }

        if (exchange.ForwardingState is not Http1Call call || call.Client != this)
        {
            exchange.ForwardingState = call = new Http1Call(this);
        }

        return call.RunAsync(exchange, upstream, pool, now);
    }

    /// <summary>A connection that was just opened, or given back. Null when the exchange is over: with a failure, or answered over HTTP/2.</summary>
    /// <param name="exchange">Who asks.</param>
    /// <param name="upstream">Where.</param>
    /// <param name="pool">The connections there.</param>
    /// <param name="isFresh">No idle one will do.</param>
    public async ValueTask<UpstreamConnection?> OpenAsync(Exchange exchange, Upstream upstream, ConnectionPool pool, bool isFresh)
    {
        var home = Reactor.Current;
        var opened = await _opener.OpenAsync(exchange, upstream.Timeouts, pool, Partition, isFresh);
        if (home is not null)
        {
            // Names, races and queues end on other threads.
            await home.SwitchAsync();
        }

        if (opened.Failure is { } failure)
        {
            exchange.Fail(failure);
        }
        else if (opened.Connection is null)
        {
            await HandOverAsync(exchange, upstream, pool, opened.Http2);
        }

        return opened.Connection;
    }

    private async ValueTask HandOverAsync(Exchange exchange, Upstream upstream, ConnectionPool pool, SslStream? connection)
    {
        await http2.ForwardAsync(exchange, upstream, pool.Destination, connection);
        if (exchange.UpstreamProtocol is ProtocolVersion.Http11 or ProtocolVersion.Http10)
        {
            // The destination speaks HTTP/2 no more: the next exchange asks again.
            pool.Learned = LearnedProtocol.Unknown;
        }
    }
}
