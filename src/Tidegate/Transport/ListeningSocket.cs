using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Transport;

/// <summary>One reactor's listening socket of one listener.</summary>
internal sealed unsafe class ListeningSocket<TCalls>(EpollReactor<TCalls> reactor, int descriptor, IPEndPoint local, ChannelWriter<ConnectionContext> accepted) : Watched
    where TCalls : struct, ISocketCalls
{
    // A crowd of new clients does not keep the old ones waiting: the socket is level-triggered and comes back in the next turn.
    private const int AcceptsAtOnce = 16;

    // The crowd at the closing door is bounded too.
    private const int AcceptsAtClose = 4096;

    // Descriptors come free as connections end; clients wait in the backlog meanwhile.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(10);

    private readonly bool _isWildcard = local.Address.Equals(IPAddress.Any) || local.Address.Equals(IPAddress.IPv6Any);
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ITimer? _pause;
    private long _lastLine;
    private bool _isOpen;

    /// <exception cref="System.Net.Sockets.SocketException">The system has no room for another watch.</exception>
    public Task OpenAsync()
    {
        reactor.Post(static state => ((ListeningSocket<TCalls>)state!).Open(), this);
        return _opened.Task;
    }

    /// <summary>Accepts what waits and closes. Ends when no connection can come any more.</summary>
    public Task CloseAsync()
    {
        reactor.Post(static state => ((ListeningSocket<TCalls>)state!).Close(), this);
        return _closed.Task;
    }

    public override void OnEvents(uint events) => Accept(AcceptsAtOnce);

    public override void OnReactorEnding() => Close();

    private void Open()
    {
        var result = reactor.Watch(this, descriptor, EpollEvents.Readable);
        if (result < 0)
        {
            _ = Libc.Close(descriptor);
            _opened.SetException(Errno.ToException(-result));
            _closed.SetResult();
            return;
        }

        _isOpen = true;
        _opened.SetResult();
    }

    private void Close()
    {
        if (_isOpen)
        {
            Accept(AcceptsAtClose);
            _isOpen = false;
            _pause?.Dispose();
            reactor.Close(this, descriptor);
        }

        _closed.TrySetResult();
    }

    private void Accept(int limit)
    {
        var address = stackalloc byte[SocketAddressBytes.MaxLength];
        for (var i = 0; i < limit; i++)
        {
            var length = SocketAddressBytes.MaxLength;
            var result = reactor.Calls.Accept(descriptor, address, &length);
            if (result >= 0)
            {
                reactor.Counters.Accepted++;
                Start(result, SocketAddressBytes.Read(new ReadOnlySpan<byte>(address, SocketAddressBytes.MaxLength)));
                continue;
            }

            switch (-result)
            {
                case Errno.TryAgain:
                    return;

                // accept(2): what went wrong with that one connection is reported here; the next may be well.
                case Errno.Interrupted or Errno.ConnectionAborted or Errno.NetworkDown or Errno.Protocol or Errno.NoProtocolOption or Errno.HostDown
                    or Errno.NoDevice or Errno.HostUnreachable or Errno.OperationNotSupported or Errno.NetworkUnreachable or Errno.NotPermitted:
                    continue;

                default:
                    StandBack(-result);
                    return;
            }
        }
    }

    private void Start(int connected, IPEndPoint remote)
    {
        if (IPAddress.IsLoopback(remote.Address))
        {
            _ = Libc.PlainCongestionControl(connected);
        }

        var connection = new ReactorConnection<TCalls>(reactor, connected, _isWildcard ? SocketAddressBytes.OfSocket(connected) : local, remote);
        if (connection.TryOpen())
        {
            if (!accepted.TryWrite(connection))
            {
                connection.Abort(new ConnectionAbortedException("The listener was disposed."));
            }
        }
        else
        {
            StandBack(Errno.OutOfMemory);
        }
    }

    /// <summary>Out of descriptors or memory: the socket would stay readable, and the reactor would do nothing but try.</summary>
    private void StandBack(int error)
    {
        reactor.Counters.AcceptPauses++;
        if (_lastLine == 0 || reactor.Time.GetElapsedTime(_lastLine) >= LineInterval)
        {
            _lastLine = reactor.Time.GetTimestamp();
            reactor.Log($"Accepting on {local} pauses for {Pause.TotalMilliseconds:0} ms at a time: {Errno.ToException(error).Message}. Raise the limit of open files, or lower max_connections.");
        }

        reactor.ChangeWatch(this, descriptor, 0);
        _pause ??= reactor.Time.CreateTimer(static state => ((ListeningSocket<TCalls>)state!).ResumeLater(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _pause.Change(Pause, Timeout.InfiniteTimeSpan);
    }

    private void ResumeLater() => reactor.Post(
        static state =>
        {
            var socket = (ListeningSocket<TCalls>)state!;
            if (socket._isOpen)
            {
                socket.ResumeNow();
            }
        },
        this);

    private void ResumeNow() => reactor.ChangeWatch(this, descriptor, EpollEvents.Readable);
}
