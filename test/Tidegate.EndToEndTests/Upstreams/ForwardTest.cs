using System.Net;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>
/// What tests of the forwarder share: exchanges without an edge, sent to loopback. With the transport and the client that the environment names, as the process has them: by default on a reactor.
/// </summary>
public abstract class ForwardTest : IAsyncDisposable
{
    private readonly ReactorTransport? _reactors = TransportChoice.Create(Environment.GetEnvironmentVariable(TransportChoice.Variable), TimeProvider.System, static line => TestContext.Current.TestOutputHelper?.WriteLine(line));

    private protected ForwardTest(ForwarderOptions? options = null)
    {
        options ??= ForwarderOptions.FromEnvironment(Environment.GetEnvironmentVariable(ForwarderOptions.ClientVariable));
        HasOwnClient = options.Client == UpstreamClient.Own;
        Forwarder = new Forwarder(TimeProvider.System, options);
        if (_reactors is not null)
        {
            Forwarder.ConnectOn(_reactors);
        }
    }

    private protected Forwarder Forwarder { get; }

    /// <summary>Whether HTTP/1.1 is spoken by our own client, whose connections can be counted.</summary>
    protected bool HasOwnClient { get; }

    private protected RecordingClient Client { get; } = new();

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public virtual async ValueTask DisposeAsync()
    {
        await Task.Yield();
        await Forwarder.DisposeAsync();
        if (_reactors is not null)
        {
            await _reactors.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    protected static Upstream Upstream(UpstreamTimeouts? timeouts = null, int maxConnections = 0) => new()
    {
        Name = "test",
        Destinations = [],
        Timeouts = timeouts ?? UpstreamTimeouts.Default,
        MaxConnections = maxConnections,
    };

    protected static UpstreamTimeouts Timeouts(int connectMilliseconds = 5_000, int headersMilliseconds = 10_000, int idleMilliseconds = 10_000, int? totalMilliseconds = null) => new(
        TimeSpan.FromMilliseconds(connectMilliseconds),
        TimeSpan.FromMilliseconds(headersMilliseconds),
        TimeSpan.FromMilliseconds(idleMilliseconds),
        totalMilliseconds is { } total ? TimeSpan.FromMilliseconds(total) : null);

    protected Exchange NewExchange(int port, string pathAndQuery = "/", string method = "GET", string host = "127.0.0.1", string scheme = "http")
    {
        var parts = pathAndQuery.Split('?', 2);
        return new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = Client,
            Method = method,
            Target = new ExchangeTarget(scheme, host, port, parts[0], parts.Length > 1 ? parts[1] : null),
            Timings = { Received = TimeProvider.System.GetTimestamp() },
        };
    }

    /// <summary>One attempt, where exchanges run.</summary>
    protected async Task ForwardAsync(Exchange exchange, Upstream upstream)
    {
        // In place: a method around it could end before anybody waits for it, and its caller would stay where it was.
        if (_reactors is not null)
        {
            await _reactors.Reactors[0].SwitchAsync();
        }

        await Forwarder.ForwardAsync(exchange, upstream);

        // What a test does next may take as long as it likes.
        await Task.Yield();
    }

    /// <summary>Forwards a request without content.</summary>
    protected async Task<Exchange> ForwardAsync(int port, string method = "GET", UpstreamTimeouts? timeouts = null)
    {
        var exchange = NewExchange(port, method: method);
        await ForwardAsync(exchange, Upstream(timeouts));
        return exchange;
    }

    /// <summary>Reads content to its end and lets go of it.</summary>
    protected async Task<string> ReadAsync(Exchange exchange, int pieceBytes = 1024)
    {
        var text = new StringBuilder();
        var buffer = new byte[pieceBytes];
        if (_reactors is not null)
        {
            await _reactors.Reactors[0].SwitchAsync();
        }

        try
        {
            while (await exchange.ResponseBody.ReadAsync(buffer, Cancellation) is > 0 and var read)
            {
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
        }
        finally
        {
            await exchange.ResponseBody.DisposeAsync();
            await Task.Yield();
        }

        return text.ToString();
    }

    /// <summary>Waits for what another thread is about to do.</summary>
    protected static async Task EventuallyAsync(Func<bool> condition, string what)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(30), what);
            await Task.Delay(5, Cancellation);
        }
    }
}
