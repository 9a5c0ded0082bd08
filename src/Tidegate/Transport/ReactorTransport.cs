using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Transport;

/// <summary>
/// TCP for both sides of the gateway on reactors: listeners for Kestrel, connections to upstreams. A connection is accepted by whichever reactor the kernel picks and stays
/// there; one that is made by code on a reactor belongs to that reactor.
/// </summary>
internal abstract class ReactorTransport : IConnectionListenerFactory, IConnectionListenerFactorySelector, IConnectionFactory, IAsyncDisposable
{
    /// <summary>Linux on a processor whose system call numbers and structures are known here.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture is System.Runtime.InteropServices.Architecture.X64 or System.Runtime.InteropServices.Architecture.Arm64;

    /// <summary>One for each core; a thread each.</summary>
    public abstract IReadOnlyList<Reactor> Reactors { get; }

    /// <param name="reactors">How many; one for each core as a rule.</param>
    /// <param name="time">The clock of watches and limits.</param>
    /// <param name="log">Takes whole lines, from any thread.</param>
    /// <exception cref="System.Net.Sockets.SocketException">The system offers no epoll.</exception>
    public static ReactorTransport Create(int reactors, TimeProvider time, Action<string> log) => new ReactorTransport<LibcCalls>(reactors, default, time, log);

    /// <summary>Everything that has an address and a port; the rest is left to other transports.</summary>
    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint;

    /// <exception cref="AddressInUseException">Somebody listens there.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The address is not ours, or not allowed.</exception>
    public abstract ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default);

    /// <summary>Connects on the current reactor, or from other threads on each in turn; what follows runs on that reactor.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">Refused, unreachable, timed out, out of descriptors.</exception>
    /// <exception cref="NotSupportedException">Not an <see cref="IPEndPoint"/>: names are to be resolved before.</exception>
    public abstract ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default);

    /// <summary>Resets what is still open and ends the threads.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <inheritdoc/>
internal sealed class ReactorTransport<TCalls> : ReactorTransport
    where TCalls : struct, ISocketCalls
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(5);

    private readonly EpollReactor<TCalls>[] _reactors;
    private readonly ITimer _watch;
    private int _next;
    private bool _isDisposed;

    public ReactorTransport(int reactors, TCalls calls, TimeProvider time, Action<string> log)
    {
        _reactors = new EpollReactor<TCalls>[reactors];
        for (var i = 0; i < reactors; i++)
        {
            _reactors[i] = new EpollReactor<TCalls>(i, calls, time, log);
        }

        foreach (var reactor in _reactors)
        {
            reactor.Start();
        }

        _watch = time.CreateTimer(static state => ((ReactorTransport<TCalls>)state!).Watch(), this, WatchInterval, WatchInterval);
    }

    public override IReadOnlyList<Reactor> Reactors => _reactors;

    public override async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (endpoint is not IPEndPoint address)
        {
            throw new NotSupportedException($"{endpoint} is not an address and a port.");
        }

        return await ReactorListener<TCalls>.BindAsync(_reactors, address);
    }

    public override ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (endpoint is not IPEndPoint address)
        {
            throw new NotSupportedException($"{endpoint} is not an address and a port.");
        }

        var reactor = Reactor.Current is EpollReactor<TCalls> current && ReferenceEquals(_reactors[current.Index % _reactors.Length], current)
            ? current
            : _reactors[(uint)Interlocked.Increment(ref _next) % (uint)_reactors.Length];
        return ReactorConnection<TCalls>.ConnectAsync(reactor, address, cancellationToken);
    }

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, true))
        {
            return;
        }

        await _watch.DisposeAsync();
        foreach (var reactor in _reactors)
        {
            reactor.Stop();
        }

        await Task.WhenAll(_reactors.Select(reactor => reactor.Ended));
    }

    private void Watch()
    {
        foreach (var reactor in _reactors)
        {
            reactor.CheckTurn();
        }
    }
}
