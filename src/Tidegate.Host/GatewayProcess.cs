using System.Net;
using System.Security.Cryptography;
using Tidegate.Configuration;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Recording;
using Tidegate.Recording.AccessLog;
using Tidegate.Transport;

namespace Tidegate.Host;

/// <summary>The composition root: everything that one running gateway is made of.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private readonly Forwarder _forwarder;
    private readonly ExchangeRecorder _recorder;
    private readonly EdgeServer _edge;
    private readonly SnapshotHolder _snapshots;
    private readonly Stream? _accessLog;
    private readonly ReactorTransport? _transport;

    public GatewayProcess(CompiledConfiguration compiled, Forwarder forwarder, TextWriter log, TimeProvider time, IReadOnlyList<IExchangeSink> moreSinks, string? transport = null)
    {
        _forwarder = forwarder;
        var accessLog = compiled.Config.Recording.AccessLog;
        _accessLog = accessLog.Path switch
        {
            "off" => null,
            "stdout" => Console.OpenStandardOutput(),
            var path => new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read),
        };
        IReadOnlyList<IExchangeSink> sinks = _accessLog is null ? moreSinks : [new AccessLogSink(_accessLog), .. moreSinks];
        _recorder = new ExchangeRecorder(time, sinks, accessLog.QueryValues, failure => log.WriteLine($"A record sink failed: {failure.Message}"));
        _snapshots = new SnapshotHolder(compiled.Snapshot);
        var handler = new GatewayHandler(
            _snapshots,
            new ResponseRelay(new GatewayResponder(time), time),
            _recorder,
            time,
            (exchange, bug) => log.WriteLine($"Exchange {ExchangeId.Format(exchange.Id)} failed inside the gateway: {bug}"));
        var start = new byte[8];
        RandomNumberGenerator.Fill(start);
        _transport = TransportChoice.Create(transport ?? Environment.GetEnvironmentVariable(TransportChoice.Variable), time, log.WriteLine);
        _edge = new EdgeServer(compiled.Listeners, handler.HandleAsync, _recorder, new ExchangeId(BitConverter.ToUInt64(start)), time, _transport);
    }

    /// <summary>Where the listeners are, once started.</summary>
    public IReadOnlyList<(string Name, IPEndPoint EndPoint)> Endpoints => _edge.Endpoints;

    /// <summary>Where HTTP/3 is served, by listener, once started; null where it should be and this machine has no libmsquic.</summary>
    public IReadOnlyList<(string Name, IPEndPoint? EndPoint)> Http3Endpoints => _edge.Http3Endpoints;

    /// <exception cref="ListenException">An address cannot be listened on.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _edge.StartAsync(cancellationToken);
        _forwarder.OwnEndpoints = [.. _edge.Endpoints.Select(endpoint => endpoint.EndPoint)];
    }

    /// <summary>The version of the configuration in force.</summary>
    public long Version => _snapshots.Current.Version;

    /// <summary>Puts another configuration in force. Exchanges in flight keep the one that they began with; pools and counters stay.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A certificate became unusable since it was checked; nothing has changed then.</exception>
    public void Apply(CompiledConfiguration compiled)
    {
        _edge.Update(compiled.Listeners);
        _snapshots.Current = compiled.Snapshot;
    }

    /// <summary>Stops accepting, lets exchanges finish within the limit, closes, writes the last records.</summary>
    public Task DrainAsync(TimeSpan limit) => _edge.DrainAsync(limit);

    public async ValueTask DisposeAsync()
    {
        await _edge.DisposeAsync();
        await _recorder.DisposeAsync();
        await _forwarder.DisposeAsync();
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
