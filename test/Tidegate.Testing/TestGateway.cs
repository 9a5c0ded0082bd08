using System.Net;
using Tidegate.Configuration;
using Tidegate.Control.Store;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Http1;
using Tidegate.Host;
using Tidegate.Recording;

namespace Tidegate.Testing;

/// <summary>A whole gateway in this process, from configuration text, on ports that the system chose.</summary>
public sealed class TestGateway : IAsyncDisposable
{
    private readonly GatewayProcess _process;
    private readonly RecordKeeper _records;
    private readonly Forwarder _forwarder;

    private TestGateway(GatewayProcess process, RecordKeeper records, Forwarder forwarder)
    {
        _forwarder = forwarder;
        _process = process;
        _records = records;
    }

    /// <summary>The address of a listener by name: egress, ingress or admin.</summary>
    public IPEndPoint this[string listener] => _process.Endpoints.First(endpoint => endpoint.Name == listener).EndPoint;

    /// <summary>The connections to upstreams.</summary>
    internal IReadOnlyList<PoolStatistics> UpstreamPools => _forwarder.PoolStatistics;

    /// <summary>Starts; the configuration must be good. Access log off and admin on a free port unless it says otherwise.</summary>
    /// <param name="yaml">The configuration.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="log">Takes what the gateway logs; else standard error.</param>
    /// <param name="upstreamClient">As in TIDEGATE_UPSTREAM_CLIENT.</param>
    /// <param name="exchanges">A directory in which exchanges are kept; null: nowhere.</param>
    /// <param name="state">A directory in which the audit log is kept, and who is signed in; null: nowhere.</param>
    public static Task<TestGateway> StartAsync(string yaml, CancellationToken cancellationToken, TextWriter? log = null, string? upstreamClient = null, string? exchanges = null, string? state = null) =>
        StartAsync(Load(yaml), cancellationToken, log, upstreamClient, exchanges, state);

    /// <summary>Starts from a configuration that was loaded, and perhaps changed; it must be good.</summary>
    internal static async Task<TestGateway> StartAsync(LoadedConfiguration loaded, CancellationToken cancellationToken, TextWriter? log = null, string? upstreamClient = null, string? exchanges = null, string? state = null)
    {
        var forwarder = new Forwarder(TimeProvider.System, ForwarderOptions.FromEnvironment(upstreamClient ?? Environment.GetEnvironmentVariable(ForwarderOptions.ClientVariable)));
        var services = new CompilerServices(forwarder, TimeProvider.System);
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, services);
        if (compiled is null)
        {
            throw new ArgumentException(string.Join('\n', problems));
        }

        if (compiled.Config.Listeners.Admin is null)
        {
            // Gateways of tests that run side by side would want the same port.
            compiled = compiled with { Control = compiled.Control with { Admin = new AdminSettings(new IPEndPoint(IPAddress.Loopback, 0), null) } };
        }

        var records = new RecordKeeper();
        Action<string> write = (log ?? Console.Error).WriteLine;
        var store = exchanges is null ? null : ExchangeStore.Open(new StoreSettings { Directory = exchanges, MaxBytes = KeepSettings.DefaultMaxBytes, MaxAge = KeepSettings.DefaultMaxAge }, write, TimeProvider.System);
        var process = new GatewayProcess(compiled, services, write, [records], store: store, stateDirectory: state);
        await process.StartAsync(cancellationToken);
        return new TestGateway(process, records, forwarder);
    }

    /// <summary>Waits until so many exchanges were recorded, and gives them.</summary>
    public Task<IReadOnlyList<ExchangeRecord>> RecordsAsync(int count, CancellationToken cancellationToken) => _records.WaitAsync(count, cancellationToken);

    /// <summary>Puts another configuration in force; what was found, with errors when the old one stays.</summary>
    public IReadOnlyList<ConfigProblem> Reload(string yaml) => _process.Reload(Load(yaml)).Problems;

    /// <summary>Stops accepting and lets exchanges finish.</summary>
    public Task DrainAsync(TimeSpan limit) => _process.DrainAsync(limit);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static LoadedConfiguration Load(string yaml) =>
        ConfigurationLoader.LoadText(yaml.Contains("recording:", StringComparison.Ordinal) ? yaml : yaml + "\nrecording: { access_log: { path: off } }\n", "test.yaml");

    private sealed class RecordKeeper : IExchangeSink
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

        public string Name => "test";

        private readonly List<ExchangeRecord> _kept = [];
        private readonly SemaphoreSlim _more = new(0);

        public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
        {
            lock (_kept)
            {
                _kept.AddRange(batch.Span);
            }

            _more.Release();
            return default;
        }

        public async Task<IReadOnlyList<ExchangeRecord>> WaitAsync(int count, CancellationToken cancellationToken)
        {
            while (true)
            {
                lock (_kept)
                {
                    if (_kept.Count >= count)
                    {
                        // As they ended: two batches may be made while exchanges end on both sides of the cut.
                        return [.. _kept.OrderBy(record => record.Started + record.Total)];
                    }
                }

                if (!await _more.WaitAsync(Patience, cancellationToken))
                {
                    throw new TimeoutException($"{_kept.Count} of {count} records came: {string.Join('\n', _kept)}");
                }
            }
        }
    }
}
