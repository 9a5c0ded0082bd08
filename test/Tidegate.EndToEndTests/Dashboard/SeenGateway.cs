using System.Net;
using Tidegate.Testing;

namespace Tidegate.EndToEndTests.Dashboard;

/// <summary>A gateway with an API in each direction, which keeps its exchanges, and an upstream for both.</summary>
internal sealed class SeenGateway : IAsyncDisposable
{
    public const string Key = "partner-key-1234";

    private readonly string? _exchanges;
    private readonly EchoUpstream _upstream;
    private readonly HttpClient _direct = new();
    private readonly HttpClient _proxied;

    private SeenGateway(string? exchanges, EchoUpstream upstream, TestGateway gateway)
    {
        _exchanges = exchanges;
        _upstream = upstream;
        Gateway = gateway;
        _proxied = new HttpClient(new SocketsHttpHandler { Proxy = new WebProxy($"http://{gateway["egress"]}"), UseProxy = true });
    }

    public TestGateway Gateway { get; }

    /// <summary>Where the dashboard is.</summary>
    public string Root => $"http://{Gateway["admin"]}";

    /// <param name="cancellation">Gives up.</param>
    /// <param name="isKept">Whether exchanges are.</param>
    /// <param name="admin">The admin listener.</param>
    /// <param name="state">A directory for what outlives the process.</param>
    /// <param name="more">Further APIs, each line indented by two; UPSTREAM stands for the upstream's port.</param>
    public static async Task<SeenGateway> StartAsync(CancellationToken cancellation, bool isKept = true, string admin = "{ address: 127.0.0.1:0 }", string? state = null, string more = "")
    {
        var exchanges = isKept ? Directory.CreateTempSubdirectory("tidegate-dashboard-").FullName : null;
        var upstream = await EchoUpstream.StartAsync();
        var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { egress: { address: 127.0.0.1:0 }, ingress: { address: 127.0.0.1:0 }, admin: {{admin}} }
            defaults: { egress: { unlisted_hosts: deny } }
            consumers: [{ name: partner, tenant: acme, environment: production, credentials: [{ api_key: {{Key}} }] }]
            apis:
              - { name: echo, direction: egress, hosts: [127.0.0.1], limits: [{ rate: 1000/1m }], circuit_breaker: {}, cache: {} }
              - name: keyed
                direction: egress
                hosts: [keyed.test]
                circuit_breaker: {}
                retry: {}
                hedge: { after: 5s }
                adaptive_concurrency: {}
                adaptive_throttle: {}
                credential: { header: X-Api-Key, keys: [{ name: first, value: first-key-of-ours }, { name: second, value: second-key-of-ours }] }
              - name: orders
                direction: ingress
                authenticate: [api_key]
                upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] }
                endpoints: [{ name: list, match: { path: /orders, methods: [GET] } }]
            {{more.Replace("UPSTREAM", upstream.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal)}}
            """,
            cancellation,
            exchanges: exchanges,
            state: state);
        return new SeenGateway(exchanges, upstream, gateway);
    }

    /// <summary>Good calls in both directions, and one each that is refused, is not found and fails.</summary>
    public async Task BusyAsync(CancellationToken cancellation)
    {
        for (var i = 0; i < 5; i++)
        {
            await GetAsync("/orders", Key, cancellation);
            using var answer = await _proxied.GetAsync($"http://127.0.0.1:{_upstream.Port}/things/{i}", cancellation);
        }

        await GetAsync("/orders", "no-key-of-ours", cancellation);
        using var refused = await _proxied.GetAsync("http://elsewhere.example/", cancellation);
        using var failed = await _proxied.GetAsync("http://127.0.0.1:1/", cancellation);
        await Gateway.RecordsAsync(13, cancellation);
    }

    /// <summary>One call of somebody else's.</summary>
    public async Task CallAsync(string url, CancellationToken cancellation)
    {
        using var answer = await _proxied.GetAsync(url, cancellation);
    }

    /// <summary>One call of our API.</summary>
    public async Task GetAsync(string path, string key, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{Gateway["ingress"]}{path}");
        request.Headers.Add("X-Api-Key", key);
        using var answer = await _direct.SendAsync(request, cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _direct.Dispose();
        _proxied.Dispose();
        await Gateway.DisposeAsync();
        await _upstream.DisposeAsync();
        if (_exchanges is not null)
        {
            Directory.Delete(_exchanges, recursive: true);
        }
    }
}
