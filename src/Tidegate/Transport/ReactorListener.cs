using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Transport;

/// <summary>One address that is listened on, with a socket for each reactor; the kernel spreads new connections over them (SO_REUSEPORT, socket(7)).</summary>
internal sealed class ReactorListener<TCalls> : IConnectionListener
    where TCalls : struct, ISocketCalls
{
    // Every connection in it holds a descriptor, whose limit bounds it; its reader does no more than start each one.
    private readonly Channel<ConnectionContext> _accepted = Channel.CreateUnbounded<ConnectionContext>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ListeningSocket<TCalls>[] _sockets;
    private Task? _unbound;

    private ReactorListener(EpollReactor<TCalls>[] reactors, int[] descriptors, IPEndPoint local)
    {
        EndPoint = local;
        _sockets = new ListeningSocket<TCalls>[reactors.Length];
        for (var i = 0; i < reactors.Length; i++)
        {
            _sockets[i] = new ListeningSocket<TCalls>(reactors[i], descriptors[i], local, _accepted.Writer);
        }
    }

    public EndPoint EndPoint { get; }

    public static async Task<ReactorListener<TCalls>> BindAsync(EpollReactor<TCalls>[] reactors, IPEndPoint address)
    {
        var descriptors = ListeningSockets.Open(address, reactors.Length, out var local);
        var listener = new ReactorListener<TCalls>(reactors, descriptors, local);
        try
        {
            await Task.WhenAll(listener._sockets.Select(socket => socket.OpenAsync()));
        }
        catch
        {
            // The others accept already, and nobody would read what they accept, or close them.
            await listener.DisposeAsync();
            throw;
        }

        return listener;
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _accepted.Reader.WaitToReadAsync(cancellationToken))
        {
            if (_accepted.Reader.TryRead(out var connection))
            {
                return connection;
            }
        }

        return null;
    }

    /// <summary>Takes what clients have already been told is connected, then closes the sockets. Those connections can still be accepted.</summary>
    public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => new(_unbound ??= UnbindAsync());

    /// <summary>Also resets connections that nobody accepted.</summary>
    public async ValueTask DisposeAsync()
    {
        await UnbindAsync(CancellationToken.None);
        while (_accepted.Reader.TryRead(out var connection))
        {
            connection.Abort(new ConnectionAbortedException("The listener was disposed."));
            await connection.DisposeAsync();
        }
    }

    private async Task UnbindAsync()
    {
        await Task.WhenAll(_sockets.Select(socket => socket.CloseAsync()));
        _accepted.Writer.TryComplete();
    }
}
