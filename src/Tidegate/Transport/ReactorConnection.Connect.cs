using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Transport;

/// <content>How an outgoing connection comes about.</content>
internal sealed partial class ReactorConnection<TCalls>
{
    private TaskCompletionSource? _connecting;
    private CancellationToken _connectCancelled;

    /// <summary>Connects on this reactor and returns on it.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">Refused, unreachable, timed out, out of descriptors.</exception>
    public static async ValueTask<ConnectionContext> ConnectAsync(EpollReactor<TCalls> reactor, IPEndPoint remote, CancellationToken cancellationToken)
    {
        await reactor.SwitchAsync();
        cancellationToken.ThrowIfCancellationRequested();
        var connection = Connect(reactor, remote, cancellationToken);
        if (connection._connecting is { } connecting)
        {
            var cancellation = cancellationToken.UnsafeRegister(static state => ((ReactorConnection<TCalls>)state!).CancelConnecting(), connection);
            try
            {
                await connecting.Task;
            }
            finally
            {
                cancellation.Unregister();
            }
        }

        return connection;
    }

    private static unsafe ReactorConnection<TCalls> Connect(EpollReactor<TCalls> reactor, IPEndPoint remote, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(reactor.IsStopping, reactor);
        var address = stackalloc byte[SocketAddressBytes.MaxLength];
        var length = SocketAddressBytes.Write(remote, new Span<byte>(address, SocketAddressBytes.MaxLength));
        var descriptor = reactor.Calls.Socket(SocketAddressBytes.Family(remote));
        if (descriptor < 0)
        {
            throw Errno.ToException(-descriptor);
        }

        // A request's head and the end of its content must not wait for each other's acknowledgement.
        _ = Libc.NoDelay(descriptor);
        _ = Libc.MaxNotSent(descriptor, SocketLimits.MaxNotSentBytes);
        if (IPAddress.IsLoopback(remote.Address))
        {
            _ = Libc.PlainCongestionControl(descriptor);
        }

        var result = reactor.Calls.Connect(descriptor, address, length);
        if (result is < 0 and not -Errno.InProgress and not -Errno.Interrupted)
        {
            _ = Libc.Close(descriptor);
            throw Errno.ToException(-result);
        }

        var connection = new ReactorConnection<TCalls>(reactor, descriptor, null, remote)
        {
            // Interrupted, too, goes on in the background (connect(2)).
            _connecting = result < 0 ? new TaskCompletionSource() : null,
            _connectCancelled = cancellationToken,
        };
        if (!connection.TryOpen())
        {
            throw Errno.ToException(Errno.OutOfMemory);
        }

        if (result >= 0)
        {
            connection.OnConnected();
        }

        return connection;
    }

    private void OnConnected()
    {
        _reactor.Counters.Connected++;
        LocalEndPoint = SocketAddressBytes.OfSocket(_descriptor);
    }

    /// <summary>The first event has come. False when there is no connection.</summary>
    private bool TryFinishConnecting()
    {
        var connecting = _connecting!;
        var error = Libc.TakeError(_descriptor);
        if (error != 0)
        {
            _connecting = null;
            Close();
            connecting.TrySetException(Errno.ToException(error));
            return false;
        }

        _connecting = null;
        OnConnected();
        connecting.TrySetResult();
        return !_isClosed;
    }

    private void CancelConnecting() => _reactor.Post(
        static state =>
        {
            var connection = (ReactorConnection<TCalls>)state!;
            if (connection._connecting is not null && !connection._isClosed)
            {
                connection.Reset();
            }
        },
        this);

    /// <summary>It was closed before it was connected: by cancellation, or because the reactor ends.</summary>
    private void EndConnecting()
    {
        var connecting = _connecting!;
        _connecting = null;
        connecting.TrySetException(_connectCancelled.IsCancellationRequested ? new OperationCanceledException(_connectCancelled) : Failure ?? Errno.ToException(Errno.ConnectionAborted));
    }
}
