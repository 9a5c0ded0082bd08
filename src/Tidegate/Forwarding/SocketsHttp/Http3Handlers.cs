using System.Collections.Concurrent;
using System.Security.Cryptography;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>Every HTTP/3 handler, found by what its connections depend on, so that a reload that leaves that alone keeps them.</summary>
internal sealed class Http3Handlers : IDisposable
{
    // Where a destination is asked for by the client's name, clients choose the keys. Beyond this many, connections are not kept.
    private const int MaxHandlers = 4_096;

    // Longer than a connection lives: what nobody has used since has none.
    private static readonly TimeSpan KeepUnused = TimeSpan.FromMinutes(20);

    // What is no longer found may just have been: it is closed a sweep later.
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Http3Key, Http3Handler> _handlers = new();
    private readonly UpstreamConnector _connector;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private ConcurrentQueue<Http3Handler> _retired = new();
    private ConcurrentQueue<Http3Handler> _closing = new();

    public Http3Handlers(UpstreamConnector connector, TimeProvider time)
    {
        _connector = connector;
        _time = time;
        _timer = time.CreateTimer(static self => ((Http3Handlers)self!).Sweep(), this, SweepInterval, SweepInterval);
    }

    /// <summary>How many there are.</summary>
    public int Count => _handlers.Count;

    /// <exception cref="ConnectException">The file of roots cannot be used.</exception>
    public Http3Handler For(Http3Key key)
    {
        if (!_handlers.TryGetValue(key, out var handler))
        {
            handler = Create(key);
            if (_handlers.Count >= MaxHandlers)
            {
                _retired.Enqueue(handler);
            }
            else if (_handlers.GetOrAdd(key, handler) is var first && first != handler)
            {
                handler.Dispose();
                handler = first;
            }
        }

        handler.LastUsed = _time.GetTimestamp();
        return handler;
    }

    /// <summary>The next exchange gets another; this one's requests end as they would.</summary>
    public void Retire(Http3Handler handler)
    {
        if (_handlers.TryRemove(new KeyValuePair<Http3Key, Http3Handler>(handler.Key, handler)))
        {
            _retired.Enqueue(handler);
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        foreach (var handler in _handlers.Values.Concat(_retired).Concat(_closing))
        {
            handler.Dispose();
        }
    }

    private Http3Handler Create(Http3Key key)
    {
        try
        {
            return new Http3Handler(key, _connector.ChainPolicy(key.Tls));
        }
        catch (Exception unusable) when (unusable is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ConnectException(FailureKind.TlsFailed, unusable);
        }
    }

    private void Sweep()
    {
        foreach (var handler in _closing)
        {
            handler.Dispose();
        }

        _closing = Interlocked.Exchange(ref _retired, new ConcurrentQueue<Http3Handler>());
        foreach (var handler in _handlers.Values)
        {
            if (_time.GetElapsedTime(handler.LastUsed) >= KeepUnused)
            {
                Retire(handler);
            }
        }
    }
}
