using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Tidegate.Transport;

/// <summary>
/// One TCP connection. Its descriptor is used by its reactor's thread alone: what other threads ask for is posted there, so that no system call can meet a
/// descriptor that was closed meanwhile and is somebody else's now.
/// </summary>
internal sealed partial class ReactorConnection<TCalls> : ConnectionContext, IDuplexPipe, IConnectionIdFeature, IConnectionTransportFeature, IConnectionItemsFeature, IConnectionLifetimeFeature, IConnectionEndPointFeature, IMemoryPoolFeature
    where TCalls : struct, ISocketCalls
{
    private static readonly CancellationTokenSource AlreadyClosed = CreateAlreadyClosed();
    private static long _lastNumber;

    private readonly EpollReactor<TCalls> _reactor;
    private readonly SocketReader<TCalls> _input;
    private readonly SocketWriter<TCalls> _output;
    private CancellationTokenSource? _closedSource;
    private CancellationToken? _replacedClosed;
    private FeatureCollection? _features;
    private IDictionary<object, object?>? _items;
    private IDuplexPipe? _replacedTransport;
    private string? _id;
    private ConnectionAbortedException? _abortReason;
    private TaskCompletionSource? _disposed;

    public ReactorConnection(EpollReactor<TCalls> reactor, int descriptor, EndPoint? local, EndPoint? remote)
    {
        _reactor = reactor;
        _descriptor = descriptor;
        _watch = new DescriptorWatch(this);
        _input = new SocketReader<TCalls>(this);
        _output = new SocketWriter<TCalls>(this);
        LocalEndPoint = local;
        RemoteEndPoint = remote;
    }

    public EpollReactor<TCalls> Reactor => _reactor;

    public PipeReader Input => _input;

    public PipeWriter Output => _output;

    public override string ConnectionId
    {
        get => _id ??= $"{_reactor.Index}-{Interlocked.Increment(ref _lastNumber):x}";
        set => _id = value;
    }

    /// <summary>Besides those of every transport, the <see cref="Transport.Reactor"/> itself, for who wants to continue on it.</summary>
    public override IFeatureCollection Features => _features ??= CreateFeatures();

    public override IDictionary<object, object?> Items
    {
        get => _items ??= new ConnectionItems();
        set => _items = value;
    }

    public override IDuplexPipe Transport
    {
        get => _replacedTransport ?? this;
        set => _replacedTransport = value;
    }

    public override EndPoint? LocalEndPoint { get; set; }

    public override EndPoint? RemoteEndPoint { get; set; }

    /// <summary>
    /// Cancelled once, on the reactor: when the peer has finished sending and all of it was read, when the connection broke, or when it was closed here. As with the stock
    /// transport a half-close counts, because it cannot be told from a client that went away. Bytes that wait unread in front of the peer's end delay it.
    /// </summary>
    public override CancellationToken ConnectionClosed
    {
        get
        {
            if (_replacedClosed is { } replaced)
            {
                return replaced;
            }

            var source = Volatile.Read(ref _closedSource);
            if (source is null)
            {
                var created = new CancellationTokenSource();
                source = Interlocked.CompareExchange(ref _closedSource, created, null) ?? created;
            }

            return source.Token;
        }
        set => _replacedClosed = value;
    }

    // The shared array pool: what rents here is Kestrel's HTTP/2, on any thread, and pipes use this one without an owner object for each rent.
    MemoryPool<byte> IMemoryPoolFeature.MemoryPool => MemoryPool<byte>.Shared;

    /// <summary>Resets the connection. Pending and later reads throw the reason; flushes say that they are completed. From any thread; the first reason stays.</summary>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        if (Interlocked.CompareExchange(ref _abortReason, abortReason, null) is null)
        {
            _reactor.Post(static state => ((ReactorConnection<TCalls>)state!).Reset(), this);
        }
    }

    public override void Abort() => Abort(new ConnectionAbortedException("The connection was aborted by the application."));

    /// <summary>Completes both directions, sends what was written, closes. Ends when the descriptor is closed.</summary>
    public override ValueTask DisposeAsync()
    {
        _input.Complete();
        _output.Complete();
        if (_reactor.IsCurrent)
        {
            CloseWhenSent();
            if (_isClosed)
            {
                return default;
            }
        }

        var created = new TaskCompletionSource();
        var disposed = Interlocked.CompareExchange(ref _disposed, created, null);
        if (disposed is null)
        {
            disposed = created;
            _reactor.Post(static state => ((ReactorConnection<TCalls>)state!).CloseWhenSent(), this);
        }

        return new ValueTask(disposed.Task);
    }

    private static CancellationTokenSource CreateAlreadyClosed()
    {
        var source = new CancellationTokenSource();
        source.Cancel();
        return source;
    }

    private FeatureCollection CreateFeatures()
    {
        var features = new FeatureCollection();
        features.Set<Reactor>(_reactor);
        features.Set<IConnectionIdFeature>(this);
        features.Set<IConnectionTransportFeature>(this);
        features.Set<IConnectionItemsFeature>(this);
        features.Set<IConnectionLifetimeFeature>(this);
        features.Set<IConnectionEndPointFeature>(this);
        features.Set<IMemoryPoolFeature>(this);
        return features;
    }
}
