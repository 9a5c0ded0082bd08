using System.Collections.Concurrent;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>Every pool, found by what its connections depend on, so that a reload that leaves that alone keeps them.</summary>
internal sealed class ConnectionPools : IDisposable
{
    // In open egress, and where an ingress destination is asked for by the client's name over TLS, clients choose the keys. Beyond this many, connections are not kept.
    private const int MaxPools = 4_096;

    // A destination that nobody has called for so long costs nothing to meet anew.
    private static readonly TimeSpan KeepUnused = TimeSpan.FromMinutes(2);

    // Fine enough for the idle timeout, which is 5 s below what it must not reach.
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<PoolKey, ConnectionPool> _pools = new();
    private readonly Deadlines _deadlines;
    private readonly AddressResolver _names;
    private readonly ConnectionSource _source;
    private readonly ITimer _timer;

    public ConnectionPools(ConnectionSource source, Deadlines deadlines, AddressResolver names)
    {
        _source = source;
        _deadlines = deadlines;
        _names = names;
        _timer = deadlines.Time.CreateTimer(static self => ((ConnectionPools)self!).Sweep(), this, SweepInterval, SweepInterval);
    }

    /// <summary>Of every pool.</summary>
    public IReadOnlyList<PoolStatistics> Statistics => [.. _pools.Values.Select(pool => pool.Statistics)];

    /// <summary>The pool of a destination.</summary>
    /// <param name="exchange">Whose target counts where the upstream has no destinations.</param>
    /// <param name="upstream">Where to.</param>
    /// <param name="index">Which of its destinations.</param>
    /// <param name="now">A timestamp of the clock.</param>
    public ConnectionPool For(Exchange exchange, Upstream upstream, int index, long now)
    {
        var destination = upstream.Destinations.Count == 0 ? null : upstream.Destinations[index];
        ref var last = ref upstream.Pools.Slots[index];
        if (last is { IsRetired: false, Key.IsSecure: false } cleartext && destination is not null)
        {
            // Where a written destination is cleartext nothing of the exchange is in the key.
            cleartext.Touch(now);
            return cleartext;
        }

        var target = exchange.Target;
        var scheme = destination?.Scheme ?? target.Scheme;
        var host = destination?.Host ?? target.Host;
        var isSecure = scheme.Length == 5;
        var key = new PoolKey(
            isSecure,
            host,
            destination?.Port ?? target.Port,
            isSecure ? upstream.Tls.ServerName ?? (upstream.RewriteHost ? host : target.Host) : "",
            isSecure ? upstream.Tls : UpstreamTls.Verified,

            // An upgrade is HTTP/1.1 by nature (RFC 9113 8.6), so its handshake offers nothing else.
            !isSecure || upstream.Protocol == UpstreamProtocol.Http1 || exchange.UpgradeProtocol is not null ? Alpn.Http1 : Alpn.Either,
            upstream.MaxConnections);
        var pool = last;
        if (pool is null || pool.IsRetired || pool.Key != key)
        {
            last = pool = Find(key);
        }

        pool.Touch(now);
        return pool;
    }

    public void Dispose()
    {
        _timer.Dispose();
        foreach (var pool in _pools.Values)
        {
            pool.Retire();
        }
    }

    private ConnectionPool Find(PoolKey key)
    {
        if (_pools.TryGetValue(key, out var known))
        {
            return known;
        }

        var pool = new ConnectionPool(key, _source.Partitions, _deadlines);
        if (_pools.Count >= MaxPools)
        {
            pool.Retire();
            return pool;
        }

        return _pools.GetOrAdd(key, pool);
    }

    private void Sweep()
    {
        foreach (var (key, pool) in _pools)
        {
            if (pool.Sweep(KeepUnused) && _pools.TryRemove(new KeyValuePair<PoolKey, ConnectionPool>(key, pool)))
            {
                // Whoever found it a moment ago can still use it; only nothing stays.
                pool.Retire();
            }
        }

        _names.Sweep();
    }
}

/// <summary>The pools that an upstream's exchanges used last, so that most exchanges need no look-up. A cache: no part of what an upstream is.</summary>
internal sealed class PoolCache(int destinations)
{
    public ConnectionPool?[] Slots { get; } = new ConnectionPool?[Math.Max(1, destinations)];

    /// <summary>Of the same destinations.</summary>
    public DestinationHealth?[] Health { get; } = new DestinationHealth?[Math.Max(1, destinations)];

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PoolCache;

    /// <inheritdoc/>
    public override int GetHashCode() => 0;
}
