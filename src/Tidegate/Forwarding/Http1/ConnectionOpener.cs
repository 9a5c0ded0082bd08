using System.Net.Security;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>What came of asking for a connection.</summary>
/// <param name="Connection">One to use.</param>
/// <param name="Failure">Why there is none.</param>
/// <param name="Http2">With neither: the destination speaks HTTP/2, and this is the connection on which it said so, unless it was known before.</param>
internal readonly record struct Opened(UpstreamConnection? Connection, Failure? Failure, SslStream? Http2);

/// <summary>Gets an exchange a connection when none is idle: opens one as soon as the pool has a place, or waits for one that is given back.</summary>
internal sealed class ConnectionOpener(UpstreamConnector connector, Deadlines deadlines)
{
    private static readonly Failure QueueFull = new(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "All connections to the upstream are in use, and too many exchanges wait for one.");

    /// <summary>Within the connect timeout, which covers the wait for a place too.</summary>
    /// <param name="exchange">Who asks.</param>
    /// <param name="timeouts">The upstream's.</param>
    /// <param name="pool">Where.</param>
    /// <param name="partition">Of the pool.</param>
    /// <param name="isFresh">No idle one will do.</param>
    public async ValueTask<Opened> OpenAsync(Exchange exchange, UpstreamTimeouts timeouts, ConnectionPool pool, int partition, bool isFresh)
    {
        var time = deadlines.Time;
        var home = Reactor.Current;
        var began = time.GetTimestamp();
        var (limit, phase) = Limit(exchange, timeouts, time);
        using var patience = new CancellationTokenSource(limit, time);
        using var gone = exchange.Aborted.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), patience);
        try
        {
            switch (pool.Acquire(partition, out var connection, out var waiter))
            {
                case Acquired.Full:
                    return new Opened(null, QueueFull, null);
                case Acquired.Wait:
                    connection = await WaitAsync(pool, waiter!, patience.Token);
                    break;
                default:
                    break;
            }

            if (connection is not null && !isFresh)
            {
                return new Opened(connection, null, null);
            }

            connection?.Close(keepsPlace: true);
            var opened = await OpenInPlaceAsync(pool, new Origin(partition, home), patience.Token);
            exchange.Timings.Connecting += time.GetTimestamp() - began;
            return opened;
        }
        catch (ConnectException refused) when (!patience.IsCancellationRequested)
        {
            return new Opened(null, UpstreamFailures.Of(refused.Kind, exchange), null);
        }
        catch (Exception over) when (patience.IsCancellationRequested && over is OperationCanceledException or ConnectException)
        {
            return new Opened(null, exchange.Aborted.IsCancellationRequested ? UpstreamFailures.ClientGone : UpstreamFailures.TooSlow(phase), null);
        }
    }

    /// <param name="Partition">Where the connection will belong.</param>
    /// <param name="Home">The reactor that it must be made on; null where there is none.</param>
    private readonly record struct Origin(int Partition, Reactor? Home);

    private static (TimeSpan Limit, FailureKind Phase) Limit(Exchange exchange, UpstreamTimeouts timeouts, TimeProvider time)
    {
        if (timeouts.Total is { } total)
        {
            var left = total - time.GetElapsedTime(exchange.Timings.Received);
            if (left < timeouts.Connect)
            {
                return (left > TimeSpan.Zero ? left : TimeSpan.Zero, FailureKind.TotalTimeout);
            }
        }

        return (timeouts.Connect, FailureKind.ConnectTimeout);
    }

    private static async ValueTask<UpstreamConnection?> WaitAsync(ConnectionPool pool, PoolWaiter waiter, CancellationToken cancellationToken)
    {
        try
        {
            return await waiter.Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            pool.Leave(waiter);
            throw;
        }
    }

    private async ValueTask<Opened> OpenInPlaceAsync(ConnectionPool pool, Origin origin, CancellationToken cancellationToken)
    {
        var opened = default(Opened);
        try
        {
            opened = pool.Key.Alpn == Alpn.Either && pool.Learned == LearnedProtocol.Unknown
                ? await LearnAsync(pool, origin, cancellationToken)
                : await ConnectAsync(pool, origin, cancellationToken);
            return opened;
        }
        finally
        {
            if (opened.Connection is null)
            {
                pool.GiveUpPlace();
            }
        }
    }

    /// <summary>One handshake tells what the destination speaks; the others wait for it, so that a burst does not open connections that HTTP/2 has no use for.</summary>
    private async ValueTask<Opened> LearnAsync(ConnectionPool pool, Origin origin, CancellationToken cancellationToken)
    {
        await pool.Learning.WaitAsync(cancellationToken);
        try
        {
            if (pool.Learned == LearnedProtocol.Unknown)
            {
                return await ConnectAsync(pool, origin, cancellationToken);
            }
        }
        finally
        {
            pool.Learning.Release();
        }

        return pool.Learned == LearnedProtocol.Http2 ? default : await ConnectAsync(pool, origin, cancellationToken);
    }

    private async ValueTask<Opened> ConnectAsync(ConnectionPool pool, Origin origin, CancellationToken cancellationToken)
    {
        var key = pool.Key;
        if (!key.IsSecure)
        {
            return Open(await connector.ConnectAsync(key.Host, key.Port, origin.Home, cancellationToken));
        }

        var (transport, tls) = await connector.ConnectAsync(key.Host, key.Port, origin.Home, key.ServerName, key.Tls, key.Alpn, cancellationToken);
        if (key.Alpn == Alpn.Either)
        {
            pool.Learned = tls.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2 ? LearnedProtocol.Http2 : LearnedProtocol.Http1;
            if (pool.Learned == LearnedProtocol.Http2)
            {
                return new Opened(null, null, tls);
            }
        }

        return Open(new TlsConnection(transport, tls));

        Opened Open(Microsoft.AspNetCore.Connections.ConnectionContext context)
        {
            pool.CountOpened();
            return new Opened(new UpstreamConnection(context, pool, origin.Partition, deadlines), null, null);
        }
    }
}
