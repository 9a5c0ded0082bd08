using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Connecting;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>Names, several addresses, and the phases up to a connection, for both clients.</summary>
public sealed class ConnectTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(nameof(UpstreamClient.Own))]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler))]
    public async Task An_address_that_does_not_answer_costs_a_moment_and_no_timeout(string client)
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var sockets = new SelectiveSockets { Silent = { IPAddress.Parse("127.0.0.2") } };
        await using var forwarder = NewForwarder(client, sockets, "127.0.0.2", "127.0.0.1");

        var exchange = await ForwardAsync(forwarder, upstream.Port);

        Assert.True(exchange.Outcome == Outcome.Forwarded, exchange.Failure?.Detail);
        Assert.Equal(["127.0.0.2", "127.0.0.1"], sockets.Tried);
        await exchange.ResponseBody.DisposeAsync();
    }

    [Theory]
    [InlineData(nameof(UpstreamClient.Own))]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler))]
    public async Task An_address_that_refuses_is_followed_by_the_next_at_once(string client)
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var sockets = new SelectiveSockets { Refusing = { IPAddress.Parse("127.0.0.2") } };
        await using var forwarder = NewForwarder(client, sockets, "127.0.0.2", "127.0.0.1");

        var exchange = await ForwardAsync(forwarder, upstream.Port);

        Assert.Equal(Outcome.Forwarded, exchange.Outcome);
        await exchange.ResponseBody.DisposeAsync();
    }

    [Fact]
    public async Task Every_loser_of_the_race_is_closed()
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var sockets = new SelectiveSockets { Late = { IPAddress.Parse("127.0.0.2") } };
        await using var forwarder = NewForwarder(nameof(UpstreamClient.Own), sockets, "127.0.0.2", "127.0.0.1");

        var exchange = await ForwardAsync(forwarder, upstream.Port);
        sockets.LateArrive.SetResult();

        Assert.Equal(Outcome.Forwarded, exchange.Outcome);
        await sockets.LateClosed.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        await exchange.ResponseBody.DisposeAsync();
    }

    [Theory]
    [InlineData(nameof(UpstreamClient.Own))]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler))]
    public async Task Addresses_that_all_refuse_are_connect_failed(string client)
    {
        var sockets = new SelectiveSockets { Refusing = { IPAddress.Parse("127.0.0.2"), IPAddress.IPv6Loopback } };
        await using var forwarder = NewForwarder(client, sockets, "127.0.0.2", "::1");

        var exchange = await ForwardAsync(forwarder, 9);

        Assert.Equal(("connect_failed", true), (exchange.Failure?.Code, exchange.Failure!.Retryable));
        Assert.Equal(2, sockets.Tried.Count);
    }

    [Theory]
    [InlineData(nameof(UpstreamClient.Own))]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler))]
    public async Task Addresses_that_never_answer_are_connect_timeout(string client)
    {
        var sockets = new SelectiveSockets { Silent = { IPAddress.Parse("127.0.0.2"), IPAddress.IPv6Loopback } };
        await using var forwarder = NewForwarder(client, sockets, "127.0.0.2", "::1");

        var exchange = await ForwardAsync(forwarder, 9, connectMilliseconds: 400);

        Assert.Equal(("connect_timeout", 504, true), (exchange.Failure?.Code, exchange.Failure!.Status, exchange.Failure.Retryable));
    }

    [Fact]
    public async Task A_client_that_leaves_while_we_connect_ends_the_attempt()
    {
        using var client = new CancellationTokenSource();
        var sockets = new SelectiveSockets { Silent = { IPAddress.Parse("127.0.0.2") } };
        await using var forwarder = NewForwarder(nameof(UpstreamClient.Own), sockets, "127.0.0.2");
        var exchange = NewExchange(9);
        exchange.Aborted = client.Token;
        var forwarding = forwarder.ForwardAsync(exchange, NewUpstream(5_000));

        await client.CancelAsync();
        await forwarding;

        Assert.Equal("client_aborted", exchange.Failure?.Code);
        Assert.Equal(0, Assert.Single(forwarder.PoolStatistics).Open);
    }

    [Theory]
    [InlineData(nameof(UpstreamClient.Own), "GET", 0)]
    [InlineData(nameof(UpstreamClient.Own), "POST", 0)]
    [InlineData(nameof(UpstreamClient.Own), "GET", 300)]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), "GET", 0)]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), "POST", 0)]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), "GET", 300)]
    public async Task What_ends_while_we_connect_was_not_sent(string client, string method, int totalMilliseconds)
    {
        using var leaving = new CancellationTokenSource();
        var sockets = new SelectiveSockets { Silent = { IPAddress.Parse("127.0.0.2") } };
        await using var forwarder = NewForwarder(client, sockets, "127.0.0.2");
        var exchange = NewExchange(9);
        exchange.Method = method;
        exchange.RequestBody = method == "POST" ? new BegunBody("content"u8.ToArray(), null) : MessageBody.Empty;
        exchange.Aborted = leaving.Token;
        exchange.WasSent = exchange.WasSentBefore = true;
        var forwarding = forwarder.ForwardAsync(exchange, NewUpstream(5_000, totalMilliseconds));
        if (totalMilliseconds == 0)
        {
            await leaving.CancelAsync();
        }

        await forwarding;

        Assert.Equal((totalMilliseconds == 0 ? "client_aborted" : "total_timeout", false), (exchange.Failure?.Code, exchange.WasSent || exchange.WasSentBefore));
    }

    [Theory]
    [InlineData(nameof(UpstreamClient.Own), "GET")]
    [InlineData(nameof(UpstreamClient.Own), "POST")]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), "GET")]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), "POST")]
    public async Task What_is_not_answered_was_sent(string client, string method)
    {
        await using var upstream = new ScriptedUpstream(static async connection =>
        {
            // Says nothing until the connection is closed.
            while (await connection.ReadRequestAsync() is not null)
            {
            }
        });
        await using var forwarder = NewForwarder(client, new SelectiveSockets(), "127.0.0.1");
        var exchange = NewExchange(upstream.Port);
        exchange.Method = method;
        exchange.RequestBody = method == "POST" ? new BegunBody("content"u8.ToArray(), null) : MessageBody.Empty;
        await forwarder.ForwardAsync(exchange, NewUpstream(5_000, 2_000));

        Assert.Equal(("total_timeout", true), (exchange.Failure?.Code, exchange.WasSent));
    }

    [Fact]
    public async Task A_field_that_cannot_be_written_was_not_sent()
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        await using var forwarder = NewForwarder(nameof(UpstreamClient.Own), new SelectiveSockets(), "127.0.0.1");
        var exchange = NewExchange(upstream.Port);
        exchange.RequestHeaders.Add("x-key", "a\n");
        await forwarder.ForwardAsync(exchange, NewUpstream(5_000));

        Assert.Equal(("gateway_error", false), (exchange.Failure?.Code, exchange.WasSent));
    }

    [Fact]
    public void The_families_take_turns_beginning_with_the_preferred()
    {
        IPAddress[] addresses = [.. new[] { "::1", "::2", "::3", "127.0.0.1", "127.0.0.2" }.Select(IPAddress.Parse)];

        Assert.Equal(["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"], ConnectionRace.Interleave(addresses).Select(address => address.ToString()));
    }

    private static Forwarder NewForwarder(string client, SelectiveSockets sockets, params string[] addresses) => new(TimeProvider.System, new ForwarderOptions
    {
        Client = Enum.Parse<UpstreamClient>(client),
        Source = new ConnectionSource(sockets),
        Resolve = (_, _) => Task.FromResult(addresses.Select(IPAddress.Parse).ToArray()),
    });

    private static Upstream NewUpstream(int connectMilliseconds, int totalMilliseconds = 0) => new()
    {
        Name = "test",
        Destinations = [],
        Timeouts = UpstreamTimeouts.Default with { Connect = TimeSpan.FromMilliseconds(connectMilliseconds), Total = totalMilliseconds == 0 ? null : TimeSpan.FromMilliseconds(totalMilliseconds) },
    };

    private static Exchange NewExchange(int port) => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
        Client = new RecordingClient(),
        Method = "GET",
        Target = new ExchangeTarget("http", "many.test", port, "/", null),
        Timings = { Received = TimeProvider.System.GetTimestamp() },
    };

    private static async Task<Exchange> ForwardAsync(Forwarder forwarder, int port, int connectMilliseconds = 20_000)
    {
        var exchange = NewExchange(port);
        await forwarder.ForwardAsync(exchange, NewUpstream(connectMilliseconds));
        return exchange;
    }

    /// <summary>Real sockets, but some addresses behave.</summary>
    private sealed class SelectiveSockets : IConnectionFactory
    {
        private readonly SocketConnectionFactory _real = new();
        private readonly List<string> _tried = [];

        public HashSet<IPAddress> Silent { get; } = [];

        public HashSet<IPAddress> Refusing { get; } = [];

        public HashSet<IPAddress> Late { get; } = [];

        public TaskCompletionSource LateArrive { get; } = new();

        public TaskCompletionSource LateClosed { get; } = new();

        public IReadOnlyList<string> Tried
        {
            get
            {
                lock (_tried)
                {
                    return [.. _tried];
                }
            }
        }

        public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        {
            var address = ((IPEndPoint)endpoint).Address;
            lock (_tried)
            {
                _tried.Add(address.ToString());
            }

            if (Refusing.Contains(address))
            {
                throw new SocketException((int)SocketError.ConnectionRefused);
            }

            if (Silent.Contains(address))
            {
                await Task.Delay(-1, cancellationToken);
            }

            if (Late.Contains(address))
            {
                // Arrives in spite of its cancellation.
                await LateArrive.Task;
                return new ClosingContext(LateClosed);
            }

            return await _real.ConnectAsync(endpoint, cancellationToken);
        }
    }

    private sealed class ClosingContext(TaskCompletionSource closed) : DefaultConnectionContext
    {
        public override ValueTask DisposeAsync()
        {
            closed.TrySetResult();
            return base.DisposeAsync();
        }
    }
}
