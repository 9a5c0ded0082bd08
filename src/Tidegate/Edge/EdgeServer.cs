using System.Net;
using Microsoft.AspNetCore.Connections;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge;

/// <summary>All of the gateway's listeners. No ASP.NET middleware, routing or DI is on the traffic's path.</summary>
internal sealed class EdgeServer(IReadOnlyList<ListenerSettings> listeners, ExchangeHandler handler, IExchangeRecorder recorder, ExchangeId ids, Deadlines deadlines, IConnectionListenerFactory? transport) : IAsyncDisposable
{
    /// <summary>In the order of the configuration.</summary>
    public IReadOnlyList<EdgeListener> Listeners { get; } = [.. listeners.Select(settings => new EdgeListener(settings, handler, recorder, ids, deadlines, transport))];

    /// <summary>Where each listener really listens, once started.</summary>
    public IReadOnlyList<(string Name, IPEndPoint EndPoint)> Endpoints => [.. Listeners.Select(listener => (listener.Name, listener.EndPoint))];

    /// <summary>Where HTTP/3 is served, by listener, once started; null where it should be and this machine has no libmsquic.</summary>
    public IReadOnlyList<(string Name, IPEndPoint? EndPoint)> Http3Endpoints => [.. Listeners.Where(listener => listener.LacksHttp3 || listener.Http3EndPoint is not null).Select(listener => (listener.Name, listener.Http3EndPoint))];

    /// <summary>Listens.</summary>
    /// <exception cref="ListenException">An address is in use or not ours.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var listener in Listeners)
        {
            await listener.StartAsync(cancellationToken);
        }
    }

    /// <summary>Puts new limits, trusted proxies and certificates in force, for open connections too. Addresses stay as they are until the next start.</summary>
    public void Update(IReadOnlyList<ListenerSettings> settings)
    {
        foreach (var listener in Listeners)
        {
            if (settings.FirstOrDefault(candidate => candidate.Name == listener.Name) is { } found)
            {
                listener.Update(found);
            }
        }
    }

    /// <summary>Stops accepting, lets exchanges finish for as long as given, then closes.</summary>
    public async Task DrainAsync(TimeSpan limit)
    {
        using var patience = new CancellationTokenSource(limit, deadlines.Time);
        await Task.WhenAll(Listeners.Select(listener => listener.DrainAsync(patience.Token)));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var listener in Listeners)
        {
            await listener.DisposeAsync();
        }
    }
}
