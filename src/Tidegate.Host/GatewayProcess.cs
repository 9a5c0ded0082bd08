using System.Net;
using System.Security.Cryptography;
using Tidegate.Configuration;
using Tidegate.Control;
using Tidegate.Control.Admin;
using Tidegate.Control.Ledger;
using Tidegate.Control.Store;
using Tidegate.Dashboard;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.AdaptiveThrottle;
using Tidegate.Policies.Cache;
using Tidegate.Policies.Cache.Disk;
using Tidegate.Policies.Capture;
using Tidegate.Policies.CircuitBreaker;
using Tidegate.Policies.Credential;
using Tidegate.Policies.Hedge;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Retry;
using Tidegate.Recording;
using Tidegate.Recording.AccessLog;
using Tidegate.Transport;

namespace Tidegate.Host;

/// <summary>The composition root: everything that one running gateway is made of.</summary>
internal sealed class GatewayProcess : IGatewayView, IAsyncDisposable
{
    private readonly CompilerServices _services;
    private readonly ControlPlane _control;
    private readonly ExchangeRecorder _recorder;
    private readonly EdgeServer _edge;
    private readonly SnapshotHolder _snapshots;
    private readonly LimitLedger? _ledger;
    private readonly IExchangeStore? _store;
    private readonly DiskTier? _disk;
    private readonly Stream? _accessLog;
    private readonly ReactorTransport? _transport;
    private volatile CompiledConfiguration _configuration;

    /// <exception cref="IOException">The access log cannot be opened; also <see cref="UnauthorizedAccessException"/>.</exception>
    public GatewayProcess(CompiledConfiguration compiled, CompilerServices services, Action<string> log, IReadOnlyList<IExchangeSink> moreSinks, string? transport = null, LimitLedger? ledger = null, IExchangeStore? store = null, string? stateDirectory = null)
    {
        _ledger = ledger;
        _store = store;
        _services = services;
        var time = services.Time;
        _configuration = compiled;
        var accessLog = compiled.Config.Recording.AccessLog;
        _accessLog = accessLog.Path switch
        {
            "off" => null,
            "stdout" => Console.OpenStandardOutput(),
            var path => AccessLogSink.Open(path),
        };
        services.Cache.Store.MaxBytes = compiled.Config.Cache.Memory ?? AnswerStore.DefaultMaxBytes;
        services.Hedges.OnBug = bug => log($"A request whose answer nobody waited for failed: {bug}");
        services.Captures.MaxBytes = compiled.Config.Recording.Capture?.Memory ?? CaptureSettings.DefaultMaxBytes;
        services.Captures.OnBug = bug => log($"A captured exchange was lost: {bug}");
        services.Cache.OnBug = bug => log($"The cache failed to store an answer: {bug}");
        if (compiled.Config.Cache.Disk is { } disk)
        {
            _disk = DiskTier.Open(services.Cache, disk.Path ?? Path.Combine(compiled.StateDirectory, "cache"), disk.MaxSize, log);
        }

        var inFlight = new ExchangesInFlight();
        _control = new ControlPlane(compiled.Control, this, inFlight, log, time, store, stateDirectory, static sources => new DashboardServer(sources));
        IReadOnlyList<IExchangeSink> sinks = [.. _accessLog is null ? (IExchangeSink[])[] : [new AccessLogSink(_accessLog)], .. _control.Sinks, .. moreSinks];
        _recorder = new ExchangeRecorder(time, sinks, accessLog.QueryValues, new SinkFailureLog(log, time).Add);
        compiled.TakeEffect();
        _snapshots = new SnapshotHolder(compiled.Snapshot);
        var handler = new GatewayHandler(
            _snapshots,
            inFlight,
            _control.Tracing,
            new ResponseRelay(new GatewayResponder(time), time),
            _recorder,
            time,
            (exchange, bug) => log($"Exchange {ExchangeId.Format(exchange.Id)} failed inside the gateway: {bug}"));
        var start = new byte[8];
        RandomNumberGenerator.Fill(start);
        var ids = new ExchangeId(BitConverter.ToUInt64(start));
        services.Cache.OnRefreshBegins = exchange =>
        {
            exchange.Id = ids.Next();
            _control.Tracing.Begin(exchange);
        };
        services.Cache.OnRefreshEnds = _recorder.Record;
        _transport = TransportChoice.Create(transport ?? Environment.GetEnvironmentVariable(TransportChoice.Variable), time, log);
        if (_transport is not null)
        {
            services.Forwarder.ConnectOn(_transport);
        }

        _edge = new EdgeServer(compiled.Listeners, handler.HandleAsync, _recorder, ids, services.Forwarder.Deadlines, _transport);
    }

    /// <summary>Where the listeners are, once started; the admin listener is the last.</summary>
    public IReadOnlyList<(string Name, IPEndPoint EndPoint)> Endpoints =>
        _control.AdminEndPoint is { } admin ? [.. _edge.Endpoints, ("admin", admin)] : _edge.Endpoints;

    /// <summary>Where HTTP/3 is served, by listener, once started; null where it should be and this machine has no libmsquic.</summary>
    public IReadOnlyList<(string Name, IPEndPoint? EndPoint)> Http3Endpoints => _edge.Http3Endpoints;

    /// <summary>What carries the connections, for the log.</summary>
    public string TransportLine => _transport is null
        ? "Connections run on the runtime's sockets."
        : $"Connections run on {_transport.Reactors.Count} reactors. {TransportChoice.Variable}=sockets is the way back to the runtime's sockets.";

    /// <summary>Sinks that keep what was: the demo gives them a past.</summary>
    public IReadOnlyList<IExchangeSink> Memories => _control.Memories;

    /// <summary>The version of the configuration in force.</summary>
    public long Version => _snapshots.Current.Version;

    /// <inheritdoc/>
    public CompiledConfiguration Configuration => _configuration;

    IReadOnlyList<ListenerView> IGatewayView.Listeners => _control.Readiness.State == GatewayState.Starting
        ? []
        : [.. _edge.Listeners.Select(listener => new ListenerView(listener.Name, listener.EndPoint, listener.Connections.Open, listener.Connections.Refused))];

    LimitStore IGatewayView.Limits => _services.Limits;

    long IGatewayView.LedgerFailures => _ledger?.Failures ?? 0;

    SpillSpace IGatewayView.Spill => _services.Spill;

    Circuits IGatewayView.Circuits => _services.Circuits;

    Throttles IGatewayView.Throttles => _services.Throttles;

    ConcurrencyGradients IGatewayView.Gradients => _services.Gradients;

    IEnumerable<DestinationView> IGatewayView.Destinations
    {
        get
        {
            var observed = _configuration.Config.Apis.Where(api => api.Upstream?.Ejection.Mode == PolicyMode.Observe).Select(api => api.Name).ToHashSet(StringComparer.Ordinal);
            var now = _services.Time.GetTimestamp();
            return _services.Forwarder.Balancer.All.Select(entry =>
                new DestinationView(entry.Upstream, entry.Destination.ToString(), entry.Health, entry.Health.IsLeftOut(now), observed.Contains(entry.Upstream), entry.Health.AskedSeconds(now), entry.Health.IsOnTrial(now)));
        }
    }

    KeyHealths IGatewayView.Keys => _services.Keys;

    HedgeRoutes IGatewayView.Hedges => _services.Hedges;

    HttpCache IGatewayView.Cache => _services.Cache;

    CaptureStore IGatewayView.Captures => _services.Captures;

    IExchangeStore? IGatewayView.Store => _store;

    long IGatewayView.Recorded => _recorder.Recorded;

    long IGatewayView.Dropped => _recorder.Dropped;

    IEnumerable<(string Sink, long Failures)> IGatewayView.SinkFailures => _recorder.SinkFailures;

    /// <summary>The admin listener first, so that it can say that the others do not listen yet.</summary>
    /// <exception cref="AdminListenException">The admin address cannot be listened on.</exception>
    /// <exception cref="ListenException">A traffic address cannot be listened on.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _ledger?.Start();
        _store?.Start();
        await _control.StartAsync(cancellationToken);
        await _edge.StartAsync(cancellationToken);

        // The admin listener too: through the proxy, nobody gets to what only loopback may see.
        _services.Forwarder.OwnEndpoints = [.. Endpoints.Select(endpoint => endpoint.EndPoint)];
        _control.Readiness.Enter(GatewayState.Ready);
    }

    /// <summary>
    /// Puts another configuration in force, or leaves the old one and says why; the admin API shows the result. Exchanges in flight keep
    /// the one that they began with; pools and counters stay.
    /// </summary>
    public ReloadResult Reload(LoadedConfiguration loaded)
    {
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, _services, Version + 1);
        if (compiled is null)
        {
            return Told(_control.Reloads.Add(isInForce: false, problems));
        }

        if (compiled.CannotRun is { } reason)
        {
            return Told(_control.Reloads.Add(isInForce: false, problems, reason));
        }

        try
        {
            // First what can still fail: a certificate may have become unusable since it was checked, and nothing has changed then.
            _edge.Update(compiled.Listeners);
        }
        catch (Exception unusable) when (unusable is CryptographicException or IOException)
        {
            return Told(_control.Reloads.Add(isInForce: false, problems, $"A certificate cannot be used: {unusable.Message}"));
        }

        if (LimitCompiler.HasKept(loaded))
        {
            // Before the first exchange meets a limit that a restart must not forget: what cannot be kept is known then, and on_error decides.
            _ledger?.Need();
        }

        compiled.TakeEffect();
        _snapshots.Current = compiled.Snapshot;
        _services.Cache.Store.MaxBytes = compiled.Config.Cache.Memory ?? AnswerStore.DefaultMaxBytes;
        _services.Captures.MaxBytes = compiled.Config.Recording.Capture?.Memory ?? CaptureSettings.DefaultMaxBytes;
        if (compiled.Config.Recording.Capture is not { } capture || _configuration.Config.Recording.Capture is not { } before
            || !capture.Apis.SequenceEqual(before.Apis) || !capture.Redact.SequenceEqual(before.Redact))
        {
            _services.Captures.Clear(Version);
        }

        _control.Apply(compiled.Control);
        _configuration = compiled;
        return Told(_control.Reloads.Add(isInForce: true, problems));
    }

    private ReloadResult Told(ReloadResult result)
    {
        _control.Audit.Add("the configuration file", "", "reload", result.IsInForce ? $"version {Version}" : result.Failure ?? result.Problems.First(problem => problem.Severity == ConfigSeverity.Error).ToString(), result.IsInForce);
        return result;
    }

    /// <summary>Says that it is not ready, stops accepting, lets exchanges finish within the limit, closes. The admin listener answers until the process ends.</summary>
    public Task DrainAsync(TimeSpan limit)
    {
        _control.Readiness.Enter(GatewayState.Draining);
        return _edge.DrainAsync(limit);
    }

    public async ValueTask DisposeAsync()
    {
        await _edge.DisposeAsync();
        if (_disk is not null)
        {
            await _disk.DisposeAsync();
        }

        if (_ledger is not null)
        {
            await _ledger.DisposeAsync();
        }

        await _recorder.DisposeAsync();
        await _control.DisposeAsync();
        await _services.Forwarder.DisposeAsync();
        _services.Limits.Dispose();
        if (_transport is not null)
        {
            await _transport.DisposeAsync();
        }

        if (_accessLog is not null)
        {
            await _accessLog.DisposeAsync();
        }
    }
}
