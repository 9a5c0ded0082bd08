using System.Net;
using Tidegate.Configuration;
using Tidegate.Forwarding;
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

    /// <summary>The address of a listener by name.</summary>
    public IPEndPoint this[string listener] => _process.Endpoints.First(endpoint => endpoint.Name == listener).EndPoint;

    /// <summary>Starts; the configuration must be good. Access log off unless it says otherwise.</summary>
    public static Task<TestGateway> StartAsync(string yaml, CancellationToken cancellationToken) =>
        StartAsync(ConfigurationLoader.LoadText(yaml + "\nrecording: { access_log: { path: off } }\n", "test.yaml"), cancellationToken);

    /// <summary>Starts from a configuration that was loaded, and perhaps changed; it must be good.</summary>
    internal static async Task<TestGateway> StartAsync(LoadedConfiguration loaded, CancellationToken cancellationToken)
    {
        var forwarder = new Forwarder(TimeProvider.System);
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, new CompilerServices(forwarder, TimeProvider.System));
        var records = new RecordKeeper();
        var process = new GatewayProcess(compiled ?? throw new ArgumentException(string.Join('\n', problems)), forwarder, Console.Error, TimeProvider.System, [records]);
        await process.StartAsync(cancellationToken);
        return new TestGateway(process, records, forwarder);
    }

    /// <summary>Waits until so many exchanges were recorded, and gives them.</summary>
    public Task<IReadOnlyList<ExchangeRecord>> RecordsAsync(int count, CancellationToken cancellationToken) => _records.WaitAsync(count, cancellationToken);

    /// <summary>Puts another configuration in force; the problems when it has errors, and the old one stays.</summary>
    public IReadOnlyList<ConfigProblem> Reload(string yaml)
    {
        var loaded = ConfigurationLoader.LoadText(yaml + "\nrecording: { access_log: { path: off } }\n", "test.yaml");
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, new CompilerServices(_forwarder, TimeProvider.System), _process.Version + 1);
        if (compiled is not null)
        {
            _process.Apply(compiled);
        }

        return problems;
    }

    /// <summary>Stops accepting and lets exchanges finish.</summary>
    public Task DrainAsync(TimeSpan limit) => _process.DrainAsync(limit);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private sealed class RecordKeeper : IExchangeSink
    {
        private readonly List<ExchangeRecord> _kept = [];
        private readonly SemaphoreSlim _more = new(0);

        public ValueTask WriteAsync(IReadOnlyList<ExchangeRecord> batch, CancellationToken cancellationToken)
        {
            lock (_kept)
            {
                _kept.AddRange(batch);
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
                        return [.. _kept];
                    }
                }

                if (!await _more.WaitAsync(TimeSpan.FromSeconds(5), cancellationToken))
                {
                    throw new TimeoutException($"{_kept.Count} of {count} records came: {string.Join('\n', _kept)}");
                }
            }
        }
    }
}
