using System.Net;
using Tidegate.Configuration;
using Tidegate.Control.Store;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Host.Demo.Apis;
using Tidegate.Host.Demo.Callers;
using Tidegate.Host.Demo.History;
using Tidegate.Recording;

namespace Tidegate.Host.Demo;

/// <summary>Everything that the demo is made of: simulated APIs, a gateway that runs samples/demo as <c>run</c> would, and simulated callers.</summary>
internal sealed class DemoProcess : IAsyncDisposable
{
    // Answers that stream take a few seconds; nobody waits longer for a demo to end.
    private static readonly TimeSpan CallerPatience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(5);

    private readonly DemoSettings _settings;
    private readonly TimeProvider _time;
    private readonly DemoDirectory _directory = new();
    private readonly Forwarder _forwarder;
    private SimulatedServer? _apis;
    private GatewayProcess? _gateway;
    private ConfigurationReloader? _reloader;
    private HttpClient? _ordersClient;
    private GatewayClients? _clients;
    private CallPlayer? _callers;

    private DemoProcess(DemoSettings settings, TimeProvider time)
    {
        _settings = settings;
        _time = time;
        _forwarder = new Forwarder(time, settings.Upstreams);
        Clock = new MorningClock(time, settings.Start);
    }

    /// <summary>The time of day in the demo.</summary>
    public MorningClock Clock { get; }

    /// <summary>Proxy and base-URL calls.</summary>
    public IPEndPoint Egress => _gateway!.Endpoints.First(endpoint => endpoint.Name == "egress").EndPoint;

    /// <summary>Our API.</summary>
    public IPEndPoint Ingress => _gateway!.Endpoints.First(endpoint => endpoint.Name == "ingress").EndPoint;

    /// <summary>Metrics and the admin API.</summary>
    public IPEndPoint Admin => _gateway!.Endpoints.First(endpoint => endpoint.Name == "admin").EndPoint;

    /// <summary>The APIs of the configuration.</summary>
    public IReadOnlyList<(string Name, Direction Direction)> Apis { get; private set; } = [];

    /// <summary>Where each simulated API listens, by its name.</summary>
    public IReadOnlyDictionary<string, int> ApiPorts => _apis!.Ports;

    /// <summary>The file that the gateway runs; an edit is taken over.</summary>
    public string Configuration => _directory.Configuration;

    /// <summary>The CA's certificate, for those who want to try interception.</summary>
    public string Authority => _directory.Authority.Certificate;

    /// <summary>Starts APIs and gateway; <see cref="StartCallers"/> begins the traffic.</summary>
    /// <exception cref="ListenException">A traffic port of the gateway is in use.</exception>
    /// <exception cref="Control.Admin.AdminListenException">The admin port is in use.</exception>
    public static async Task<DemoProcess> StartAsync(DemoSettings settings, TimeProvider time, TextWriter log, IReadOnlyList<IExchangeSink> sinks, CancellationToken cancellationToken)
    {
        var demo = new DemoProcess(settings, time);
        try
        {
            demo._directory.Create(time);
            await demo.StartApisAsync(cancellationToken);
            await demo.StartGatewayAsync(log, sinks, cancellationToken);
            return demo;
        }
        catch
        {
            await demo.DisposeAsync();
            throw;
        }
    }

    public void StartCallers()
    {
        _clients = new GatewayClients(Egress, Ingress, Authority);
        _callers = new CallPlayer(new CallPlan(_settings.Seed, CallPlan.Everybody), Clock, _clients, _time);
        _callers.Start();
    }

    /// <summary>Callers stop, then the gateway drains, then everything closes and the directory goes away.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_callers is not null)
        {
            await _callers.StopAsync(CallerPatience);
        }

        if (_reloader is not null)
        {
            await _reloader.DisposeAsync();
            await _gateway!.DrainAsync(DrainLimit);
        }

        // Whoever still waits for an answer hangs up before the gateway goes.
        _clients?.Dispose();
        _ordersClient?.Dispose();
        if (_callers is not null)
        {
            await _callers.DisposeAsync();
        }

        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }
        else
        {
            await _forwarder.DisposeAsync();
        }

        if (_apis is not null)
        {
            await _apis.DisposeAsync();
        }

        _directory.Dispose();
    }

    private async Task StartApisAsync(CancellationToken cancellationToken)
    {
        var numbers = new OrderNumbers();
        IReadOnlyList<ISimulatedApi> apis =
        [
            new PaymentApi(_time, new DemoRandom(_settings.Seed + 1)),
            new ShippingApi(Clock, _time, new DemoRandom(_settings.Seed + 2)),
            new CatalogueApi("catalogue", Clock, _time, new DemoRandom(_settings.Seed + 3)),
            new CatalogueApi("catalogue-us", Clock, _time, new DemoRandom(_settings.Seed + 7)),
            new AssistantApi(Clock, _time, new DemoRandom(_settings.Seed + 4)),
            new OrdersService(1, _time, new DemoRandom(_settings.Seed + 5), numbers, () => _ordersClient!),
            new OrdersService(2, _time, new DemoRandom(_settings.Seed + 6), numbers, () => _ordersClient!),
        ];
        var certificate = _directory.CreateThirdPartyCertificate(apis.Select(api => api.Host).OfType<string>(), _time);
        _apis = await SimulatedServer.StartAsync(apis, certificate, cancellationToken);
        foreach (var (name, port) in _apis.Ports)
        {
            _directory.WritePort(name, port);
        }
    }

    /// <summary>Gives the gateway's store and inventory a past, before anything is called.</summary>
    private async Task RememberAsync(CompiledConfiguration compiled, CancellationToken cancellationToken)
    {
        var history = new DemoHistory(compiled, new CallPlan(_settings.Seed, CallPlan.Everybody), _settings.Seed);
        foreach (var batch in history.Batches(_time.GetUtcNow(), _settings.History, Clock.Elapsed))
        {
            foreach (var sink in _gateway!.Memories)
            {
                await sink.WriteAsync(batch, cancellationToken);
            }
        }
    }

    private async Task StartGatewayAsync(TextWriter log, IReadOnlyList<IExchangeSink> sinks, CancellationToken cancellationToken)
    {
        _directory.WritePort("egress", _settings.EgressPort);
        _directory.WritePort("ingress", _settings.IngressPort);
        _directory.WritePort("admin", _settings.AdminPort);
        var services = new CompilerServices(_forwarder, _time);
        var (compiled, problems) = SnapshotCompiler.Compile(ConfigurationLoader.Load(_directory.Configuration), services);
        if (compiled is null)
        {
            throw new InvalidOperationException("The demo's configuration has errors:\n" + string.Join('\n', problems));
        }

        Apis = [.. compiled.Config.Apis.Select(api => (api.Name, api.Direction))];
        // Kept beside its files, and gone with them.
        var keep = new StoreSettings { Directory = Path.Combine(compiled.StateDirectory, "exchanges"), MaxBytes = KeepSettings.DefaultMaxBytes, MaxAge = KeepSettings.DefaultMaxAge };
        _gateway = new GatewayProcess(compiled, services, log.WriteLine, sinks, store: ExchangeStore.Open(keep, log.WriteLine, _time));
        await RememberAsync(compiled, cancellationToken);
        await _gateway.StartAsync(cancellationToken);
        _reloader = new ConfigurationReloader(_directory.Configuration, _gateway, new SystemdNotifier(null, _time, log.WriteLine), log.WriteLine);
        _ordersClient = new HttpClient(new SocketsHttpHandler { UseProxy = false, ActivityHeadersPropagator = null }) { BaseAddress = new Uri($"http://{Egress}") };
        _ordersClient.DefaultRequestHeaders.Add("X-Api-Key", DemoKeys.Consumer("orders"));
    }
}
