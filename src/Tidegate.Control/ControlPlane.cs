using System.Net;
using System.Reflection;
using System.Security.Cryptography;
using Tidegate.Configuration;
using Tidegate.Control.Admin;
using Tidegate.Control.Audit;
using Tidegate.Control.Inventory;
using Tidegate.Control.Live;
using Tidegate.Control.Metrics;
using Tidegate.Control.Otlp;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Recording;
using Tidegate.Recording.Metrics;
using Tidegate.Recording.Tracing;

namespace Tidegate.Control;

/// <summary>All of the control plane: what is kept of the records, who may look at it, and where it is exported. It may fail without touching traffic.</summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    private readonly AdminListener? _admin;
    private readonly OtlpExporter? _otlp;
    private readonly IExchangeStore? _store;
    private readonly StoreReader? _reader;
    private readonly ExportFolder? _exports;
    private readonly IDashboard? _dashboard;
    private readonly ApiInventory? _inventory;
    private readonly ExchangeTail? _tail;

    /// <param name="settings">From the configuration that the process starts with.</param>
    /// <param name="gateway">Asked only after <see cref="StartAsync"/>.</param>
    /// <param name="inFlight">Counted by traffic.</param>
    /// <param name="log">Takes one line.</param>
    /// <param name="time">The clock.</param>
    /// <param name="store">Keeps every exchange; ended with the control plane. Null: nothing is kept.</param>
    /// <param name="stateDirectory">Where the audit log is, and who is signed in; null: only in memory.</param>
    /// <param name="dashboard">Makes the dashboard; null: there is none.</param>
    public ControlPlane(ControlSettings settings, IGatewayView gateway, ExchangesInFlight inFlight, Action<string> log, TimeProvider time, IExchangeStore? store, string? stateDirectory = null, Func<DashboardSources, IDashboard>? dashboard = null)
    {
        Reloads = new ReloadHistory(time);
        Audit = new AuditLog(stateDirectory, log, time);
        _store = store;
        Sinks = store is null ? [] : [store];
        if (settings is { Admin: null, Otlp: null })
        {
            // Nobody looks: nothing more is kept.
            return;
        }

        var started = time.GetUtcNow();
        var version = typeof(ControlPlane).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";
        var exchanges = new ExchangeMetrics(settings.MaxSeries);
        var otlpState = settings.Otlp is null ? null : new OtlpState();
        _inventory = new ApiInventory(store?.Folder, log, time);
        var metrics = new GatewayMetrics(exchanges, inFlight, gateway, Readiness, Reloads, otlpState, Audit, new ProcessMetrics(version, started), _inventory);
        Sinks = [.. Sinks, exchanges, _inventory];
        if (settings.Otlp is { } otlp)
        {
            var spans = new RecordQueue(otlpState!.Traces, static record => record.Trace.HasSpan);
            var logs = otlp.HasLogs ? new RecordQueue(otlpState.Logs, static _ => true) : null;
            var resource = new OtlpResource(otlp.ServiceName, version, Guid.NewGuid().ToString(), Environment.MachineName);
            Tracing = ExchangeTracing.On(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)), otlp.Sample);
            _otlp = new OtlpExporter(otlp, spans, logs, metrics, otlpState, resource, log, time);
            Sinks = logs is null ? [.. Sinks, spans] : [.. Sinks, spans, logs];
        }

        if (settings.Admin is { } admin)
        {
            var apis = new ApiStatistics(time);
            var recent = new RecentExchanges(settings.RecentExchanges);
            var limits = new LimitsNow(gateway, recent, time);
            var status = new StatusDocument(version, started, gateway, Readiness, Reloads, inFlight, exchanges, settings.Otlp, otlpState, time);
            _reader = store is null ? null : new StoreReader(store, time);
            _exports = _reader is null ? null : new ExportFolder(store!.Folder, log);
            var export = _reader is null ? null : new ExchangeExport(_reader, _exports!, store!.Memory, log, time);
            var past = new PastExchanges(_reader, export, recent, time, log);
            var seconds = new RecentSeconds(time);
            _tail = new ExchangeTail();
            _dashboard = dashboard?.Invoke(new DashboardSources(version, started, gateway, _reader, recent, apis, seconds, Readiness, Reloads, inFlight, otlpState, Audit, _inventory, limits, stateDirectory, log, time));
            _admin = new AdminListener(admin, listener => new AdminHandler(() => listener.Access, Readiness, metrics, status, new ApisDocument(gateway, apis, time), new LimitsDocument(limits), new InventoryDocument(_inventory), recent, past, new TailDocument(_tail, time), gateway, _dashboard, Audit, log));
            Sinks = [.. Sinks, apis, recent, seconds, _tail];
        }
    }

    /// <summary>To be given every record.</summary>
    public IReadOnlyList<IExchangeSink> Sinks { get; } = [];

    /// <summary>Those of them that keep what was over restarts.</summary>
    public IReadOnlyList<IExchangeSink> Memories => [.. new IExchangeSink?[] { _store, _inventory }.OfType<IExchangeSink>()];

    /// <summary>Gives exchanges their place in a trace.</summary>
    public ExchangeTracing Tracing { get; } = ExchangeTracing.Off;

    /// <summary>Whether the gateway should be sent traffic.</summary>
    public Readiness Readiness { get; } = new();

    /// <summary>What became of reloads.</summary>
    public ReloadHistory Reloads { get; }

    /// <summary>Who did what.</summary>
    public AuditLog Audit { get; }

    /// <summary>Where the admin listener is; null when it is off.</summary>
    public IPEndPoint? AdminEndPoint => _admin?.EndPoint;

    /// <summary>Listens and begins to export.</summary>
    /// <exception cref="AdminListenException">The address is in use or not ours.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_admin is not null)
        {
            _dashboard?.Start(_admin.Access);
            await _admin.StartAsync(cancellationToken);
        }

        _otlp?.Start();
    }

    /// <summary>Takes over what may change while the process runs.</summary>
    public void Apply(ControlSettings settings)
    {
        if (_admin is not null)
        {
            _admin.Update(settings.Admin);
            _dashboard?.Apply(_admin.Access);
        }
    }

    /// <summary>Exports what is left, then stops answering.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_otlp is not null)
        {
            await _otlp.DisposeAsync();
        }

        _tail?.Close();
        if (_dashboard is not null)
        {
            // First, so that open pages do not hold the listener's end up.
            await _dashboard.DisposeAsync();
        }

        if (_admin is not null)
        {
            await _admin.DisposeAsync();
        }

        _exports?.Dispose();

        if (_inventory is not null)
        {
            await _inventory.DisposeAsync();
        }

        if (_reader is not null)
        {
            await _reader.DisposeAsync();
        }

        if (_store is not null)
        {
            await _store.DisposeAsync();
        }
    }
}
