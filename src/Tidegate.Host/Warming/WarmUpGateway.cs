using System.Net;
using Tidegate.Configuration;
using Tidegate.Control.Live;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Recording;
using Tidegate.Recording.AccessLog;
using Tidegate.Recording.Metrics;
using Tidegate.Recording.Tracing;
using Tidegate.Transport;

namespace Tidegate.Host.Warming;

/// <summary>A gateway made of the same parts as the real one, with a configuration, pools, reactors and records of its own, on ports of the loopback interface that the system chose.</summary>
internal sealed class WarmUpGateway : IAsyncDisposable
{
    /// <summary>What its clients present. It opens nothing but the warm-up's own upstream.</summary>
    public const string ApiKey = "warm-up-key";

    // More than there are kinds of exchanges here.
    private const int MaxSeries = 100;

    private readonly Forwarder _forwarder;
    private readonly ReactorTransport? _transport;
    private readonly ExchangeRecorder _recorder;
    private readonly AccessLogSink _accessLog = new(Stream.Null);
    private readonly EdgeServer _edge;

    private WarmUpGateway(CompiledConfiguration compiled, Forwarder forwarder, ReactorTransport? transport, TimeProvider time)
    {
        _forwarder = forwarder;
        _transport = transport;
        IReadOnlyList<IExchangeSink> sinks = [new ExchangeMetrics(MaxSeries), new ApiStatistics(time), new RecentExchanges(MaxSeries), _accessLog];
        _recorder = new ExchangeRecorder(time, sinks, keepQueryValues: false, (_, failure) => throw failure);
        var handler = new GatewayHandler(
            new SnapshotHolder(compiled.Snapshot), new ExchangesInFlight(), ExchangeTracing.Off, new ResponseRelay(new GatewayResponder(time), time), _recorder, time, (_, bug) => throw bug);
        _edge = new EdgeServer(compiled.Listeners, handler.HandleAsync, _recorder, new ExchangeId(1), forwarder.Deadlines, transport);
    }

    public IPEndPoint Ingress => _edge.Endpoints.First(endpoint => endpoint.Name == "ingress").EndPoint;

    public IPEndPoint Egress => _edge.Endpoints.First(endpoint => endpoint.Name == "egress").EndPoint;

    public static async Task<WarmUpGateway> StartAsync(int upstreamPort, TimeProvider time, CancellationToken cancellationToken)
    {
        var forwarder = new Forwarder(time, ForwarderOptions.FromEnvironment(Environment.GetEnvironmentVariable(ForwarderOptions.ClientVariable)));
        var transport = TransportChoice.Create(Environment.GetEnvironmentVariable(TransportChoice.Variable), time, static _ => { });
        if (transport is not null)
        {
            forwarder.ConnectOn(transport);
        }

        var (compiled, problems) = SnapshotCompiler.Compile(ConfigurationLoader.LoadText(Configuration(upstreamPort), "warm-up"), new CompilerServices(forwarder, time));
        var gateway = new WarmUpGateway(compiled ?? throw new InvalidOperationException(string.Join('\n', problems)), forwarder, transport, time);
        try
        {
            await gateway._edge.StartAsync(cancellationToken);
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _edge.DisposeAsync();
        await _recorder.DisposeAsync();
        _accessLog.Dispose();
        await _forwarder.DisposeAsync();
        if (_transport is not null)
        {
            await _transport.DisposeAsync();
        }
    }

    private static string Configuration(int upstreamPort) => $$"""
        listeners:
          ingress: { address: 127.0.0.1:0 }
          egress: { address: 127.0.0.1:0 }
        consumers:
          - { name: warm-up, credentials: [ { api_key: {{ApiKey}} } ] }
        apis:
          - { name: open, direction: ingress, hosts: [open.test], upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] } }
          - { name: keyed, direction: ingress, hosts: [keyed.test], authenticate: [api_key], upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] } }
          - { name: out, direction: egress, hosts: [out.test], base_path: /out, upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] } }
        """;
}
