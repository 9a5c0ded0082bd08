using System.Net;
using System.Net.Sockets;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Wire;

/// <summary>Tunnels and upgraded connections: bounded in silence, and ended with the gateway.</summary>
public sealed class TunnelTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_silent_tunnel_ends_after_the_idle_timeout_and_is_recorded_so()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream, "any");
        using var client = await ConnectAsync(gateway, upstream.Port);
        await client.SendAsync("hello");
        Assert.Equal("hello", await client.ReadAsync(5));

        await client.ReadToEndAsync();

        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Outcome.Failed, "idle_timeout", 200), (record.Outcome, record.Code, record.Status));
        Assert.Equal((5, 5), (record.RequestBytes, record.ResponseBytes));
        await upstream.Ended.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
    }

    [Fact]
    public async Task A_tunnel_in_which_only_one_side_speaks_is_not_silent()
    {
        await using var upstream = Echo(answers: false);
        await using var gateway = await StartAsync(upstream, "any");
        using var client = await ConnectAsync(gateway, upstream.Port);
        for (var i = 0; i < 30; i++)
        {
            await client.SendAsync("x");
            await Task.Delay(100, Cancellation);
        }

        client.HalfClose();
        await client.ReadToEndAsync();
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((30, ""), (record.RequestBytes, record.Code));
    }

    [Fact]
    public async Task A_silent_upgraded_connection_ends_after_the_idle_timeout()
    {
        await using var upstream = new RawUpstream(async request =>
        {
            await request.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
            await request.WaitForEndAsync();
            request.Close = true;
        });
        await using var gateway = await TestGateway.StartAsync($$"""
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis: [{ name: all, direction: ingress, timeouts: { idle: 1500ms }, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            """, Cancellation);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        await client.ReadUntilAsync("\r\n\r\n");

        await client.ReadToEndAsync();

        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal(("idle_timeout", 101), (record.Code, record.Status));
    }

    [Fact]
    public async Task A_total_timeout_is_about_calls_and_not_about_what_a_connection_has_become()
    {
        await using var upstream = Ticking(pauseMilliseconds: 300);
        await using var gateway = await StartAsync(upstream, "total: 2s");
        using var client = await UpgradeAsync(gateway);

        Assert.Equal("tick tick tick tick tick tick tick tick tick tick end", await client.ReadToEndAsync());
        Assert.Equal((Outcome.Forwarded, 101, ""), Result(await gateway.RecordsAsync(1, Cancellation)));
    }

    [Fact]
    public async Task An_upgraded_connection_has_the_whole_time_of_a_drain()
    {
        await using var upstream = Ticking(pauseMilliseconds: 200, isSpokenTo: true);
        await using var gateway = await StartAsync(upstream, "idle: 20s");
        using var client = await UpgradeAsync(gateway);
        await client.ReadAsync(5);

        // Beyond the second after which connections without a request close, with a read of the client pending and with bytes of it.
        var draining = gateway.DrainAsync(TimeSpan.FromSeconds(60));
        await Task.Delay(1_200, Cancellation);
        await client.SendAsync("still here");

        Assert.EndsWith("tick end", await client.ReadToEndAsync(), StringComparison.Ordinal);
        await draining;
        Assert.Equal((Outcome.Forwarded, 101, ""), Result(await gateway.RecordsAsync(1, Cancellation)));
    }

    [Fact]
    public async Task An_upstream_that_breaks_an_upgraded_connection_is_not_taken_for_silence()
    {
        await using var upstream = new RawUpstream(async request =>
        {
            await request.SendAsync(Switching + "tick ");
            await request.ReadSomeAsync();
            request.Reset();
        });
        await using var gateway = await StartAsync(upstream, "idle: 20s");
        using var client = await UpgradeAsync(gateway);
        await client.SendAsync("break");
        await client.ReadToEndAsync();

        Assert.Equal((Outcome.Failed, 101, "response_truncated"), Result(await gateway.RecordsAsync(1, Cancellation)));
    }

    [Fact]
    public async Task A_tunnel_whose_client_never_says_hello_ends()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream, "verified");
        using var client = await ConnectAsync(gateway, upstream.Port);
        await client.SendAsync("\u0016\u0003\u0001");

        await client.ReadToEndAsync();

        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal(("client", "tunnel_silent", 200), (record.Reason, record.Code, record.Status));
    }

    [Fact]
    public async Task A_connect_over_http2_is_a_tunnel_with_the_same_bound()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream, "any");
        using var connection = await RawHttp2.ConnectAsync(gateway["egress"], Cancellation);
        await connection.SendHeadersAsync(1, [(":method", "CONNECT"), (":authority", $"127.0.0.1:{upstream.Port}")], endStream: false);
        await connection.SendDataAsync(1, "hello", endStream: false);

        var answer = await connection.ReadAnswerAsync(1);

        Assert.Equal(("200", "hello", "RST_STREAM"), (answer.Status, answer.Content, answer.End));
        Assert.Equal("idle_timeout", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
    }

    [Fact]
    public async Task Connections_that_have_sent_nothing_do_not_delay_a_drain()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream, "any");
        using var silent = await RawClient.ConnectAsync(gateway["egress"], Cancellation);
        using var http2 = await RawHttp2.ConnectAsync(gateway["egress"], Cancellation);
        await Task.Delay(100, Cancellation);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(60));

        await gateway.DrainAsync(TimeSpan.FromMinutes(5)).WaitAsync(limit.Token);

        Assert.Equal("", await silent.ReadToEndAsync());
    }

    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

    private static RawUpstream Ticking(int pauseMilliseconds, bool isSpokenTo = false) => new(async request =>
    {
        await request.SendAsync(Switching);
        for (var i = 0; i < 10; i++)
        {
            await request.SendAsync("tick ");
            await Task.Delay(pauseMilliseconds, Cancellation);
        }

        if (isSpokenTo)
        {
            // What is not read would make the close a reset.
            await request.ReadSomeAsync();
        }

        await request.SendAsync("end");
        request.Close = true;
    });

    private static async Task<RawClient> UpgradeAsync(TestGateway gateway)
    {
        var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        await client.ReadUntilAsync("\r\n\r\n");
        return client;
    }

    private static (Outcome Outcome, int Status, string Code) Result(IReadOnlyList<Recording.ExchangeRecord> records) => (records[0].Outcome, records[0].Status, records[0].Code);

    private static Task<TestGateway> StartAsync(RawUpstream upstream, string timeouts) => TestGateway.StartAsync($$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis: [{ name: all, direction: ingress, timeouts: { {{timeouts}} }, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
        """, Cancellation);

    private static async Task<RawClient> ConnectAsync(TestGateway gateway, int port)
    {
        var client = await RawClient.ConnectAsync(gateway["egress"], Cancellation);
        await client.SendAsync($"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        Assert.Equal("HTTP/1.1 200 OK\r\n\r\n", await client.ReadUntilAsync("\r\n\r\n"));
        return client;
    }

    private static Task<TestGateway> StartAsync(TcpEcho upstream, string tunnel)
    {
        Assert.NotEqual(0, upstream.Port);
        return TestGateway.StartAsync($$"""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis: [{ name: any, direction: egress, hosts: [127.0.0.1], tunnel: {{tunnel}}, timeouts: { idle: 2s } }]
            """, Cancellation);
    }

    private static TcpEcho Echo(bool answers = true) => new(answers);

    /// <summary>Gives back every byte, or takes them all in silence.</summary>
    private sealed class TcpEcho : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _stopping = new();
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Task _serving;

        public TcpEcho(bool answers)
        {
            _listener.Start();
            _serving = ServeAsync(answers);
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        /// <summary>The first connection is over.</summary>
        public Task Ended => _ended.Task;

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync();
            _listener.Dispose();
            await _serving;
            _stopping.Dispose();
        }

        private async Task ServeAsync(bool answers)
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                    await EchoAsync(client.GetStream(), answers);
                    _ended.TrySetResult();
                }
            }
            catch (Exception stopped) when (stopped is OperationCanceledException or SocketException)
            {
                return;
            }
        }

        private async Task EchoAsync(NetworkStream stream, bool answers)
        {
            var buffer = new byte[1024];
            try
            {
                while (await stream.ReadAsync(buffer, _stopping.Token) is > 0 and var read)
                {
                    if (answers)
                    {
                        await stream.WriteAsync(buffer.AsMemory(0, read), _stopping.Token);
                    }
                }
            }
            catch (IOException)
            {
                // A reset is an end like any other.
                return;
            }
        }
    }
}
