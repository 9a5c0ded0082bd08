using System.Net;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.Http1;
using Tidegate.Forwarding.SocketsHttp;
using Tidegate.Transport;

namespace Tidegate.Forwarding;

/// <summary>
/// Sends an exchange's request to an upstream and leaves the answer's head with a body or stream to read, or a failure, on the exchange.
/// Nothing is buffered: content flows in both directions at the pace of the slower side.
/// </summary>
public sealed class Forwarder : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly Deadlines _deadlines;
    private readonly ConnectionSource _source;
    private readonly ConnectionPools _pools;
    private readonly Balancer _balancer;
    private readonly UpstreamConnector _connector;
    private readonly SocketsHttpClient _handler;
    private readonly IUpstreamClient _http1;

    /// <summary>As in production: our own client for HTTP/1.1, on the framework's sockets.</summary>
    public Forwarder(TimeProvider time)
        : this(time, new ForwarderOptions())
    {
    }

    internal Forwarder(TimeProvider time, ForwarderOptions options)
    {
        _time = time;
        _deadlines = new Deadlines(time);
        _balancer = new Balancer(time);
        var names = new AddressResolver(options.Resolve, time);
        _source = options.Source;
        _pools = new ConnectionPools(_source, _deadlines, names);
        _connector = new UpstreamConnector(_source, names, time);
        _handler = new SocketsHttpClient(_connector, time);
        _http1 = options.Client == UpstreamClient.Own ? new Http1Client(_connector, _handler, _deadlines, _source) : _handler;
    }

    /// <summary>Where the gateway itself listens; connecting there would be a loop and fails with <c>self_connection</c>.</summary>
    public IReadOnlyCollection<IPEndPoint> OwnEndpoints
    {
        get => _connector.OwnEndpoints;
        set => _connector.OwnEndpoints = value;
    }

    /// <summary>For all timeouts of the process: one sweep for both sides of the gateway.</summary>
    internal Deadlines Deadlines => _deadlines;

    /// <summary>Our own client's connections, by destination.</summary>
    internal IReadOnlyList<PoolStatistics> PoolStatistics => _pools.Statistics;

    /// <summary>HTTP/3 connections are kept in so many places.</summary>
    internal int Http3HandlerCount => _handler.Http3HandlerCount;

    /// <summary>Who of several destinations answers.</summary>
    internal Balancer Balancer => _balancer;

    /// <summary>From now on upstream connections are made by reactors, each for its own exchanges. Before the first exchange.</summary>
    internal void ConnectOn(ReactorTransport reactors) => _source.Use(reactors);

    /// <summary>One attempt, at the destination that was chosen for it. Never throws for expected trouble: that becomes <see cref="Exchange.Failure"/>.</summary>
    public ValueTask ForwardAsync(Exchange exchange, Upstream upstream)
    {
        var pool = Begin(exchange, upstream, Math.Max(0, exchange.DestinationIndex), out var now);
        return ForwardAsync(exchange, upstream, pool, now);
    }

    /// <summary>Opens a TCP connection to the target for a tunnel; leaves it as <see cref="Exchange.UpstreamStream"/>.</summary>
    public async ValueTask ConnectTunnelAsync(Exchange exchange, Upstream upstream)
    {
        var destination = Begin(exchange, upstream, Math.Max(0, exchange.DestinationIndex), out var began).Destination;
        using var attempt = new Attempt(exchange, upstream.Timeouts, _time);
        try
        {
            attempt.Arm(FailureKind.ConnectTimeout, upstream.Timeouts.Connect);
            var connection = await _connector.ConnectAsync(destination.Host, destination.Port, Reactor.Current, attempt.Token);
            exchange.UpstreamStream = new ConnectionStream(connection);
            exchange.WasSent = true;
            exchange.Timings.Connecting = _time.GetTimestamp() - began;
            exchange.Answer(Outcome.Forwarded, 200);
        }
        catch (Exception trouble) when (trouble is OperationCanceledException or IOException)
        {
            exchange.Fail(FailureClassifier.Classify(trouble, attempt, exchange));
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _handler.Dispose();
        _pools.Dispose();
        _deadlines.Dispose();
        return default;
    }

    private ValueTask ForwardAsync(Exchange exchange, Upstream upstream, ConnectionPool pool, long now) =>
        IsForTheFramework(exchange, upstream, pool) ? _handler.ForwardAsync(exchange, upstream, pool, now) : _http1.ForwardAsync(exchange, upstream, pool, now);

    private ConnectionPool Begin(Exchange exchange, Upstream upstream, int index, out long now)
    {
        now = _time.GetTimestamp();
        var pool = _pools.For(exchange, upstream, index, now);
        exchange.Attempts++;
        exchange.WasSent = exchange.WasSentBefore = false;
        exchange.Destination = pool.Name;
        exchange.Region = upstream.Regions.Count == 0 ? "" : upstream.Regions[index];
        if (exchange.Timings.Forwarded == 0)
        {
            exchange.Timings.Forwarded = now;
            exchange.Timings.QueuedBefore = exchange.Timings.Queued;
        }

        return pool;
    }

    /// <summary>Whether HTTP/2 or HTTP/3 will be spoken for certain. What ALPN will say over TLS, the HTTP/1.1 client finds out.</summary>
    private static bool IsForTheFramework(Exchange exchange, Upstream upstream, ConnectionPool pool) =>
        exchange.UpgradeProtocol is null && (upstream.Protocol is UpstreamProtocol.Http2 or UpstreamProtocol.Http3 || (upstream.Protocol == UpstreamProtocol.Auto && !pool.Key.IsSecure && UpstreamRequest.IsGrpc(exchange)));
}
