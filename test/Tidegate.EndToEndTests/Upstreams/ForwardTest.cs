using System.Net;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>What tests of the forwarder share: exchanges without an edge, sent to loopback.</summary>
public abstract class ForwardTest : IAsyncDisposable
{
    private protected ForwardTest(ForwarderOptions? options = null) => Forwarder = new Forwarder(TimeProvider.System, options ?? new ForwarderOptions());

    private protected Forwarder Forwarder { get; }

    private protected RecordingClient Client { get; } = new();

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public virtual async ValueTask DisposeAsync()
    {
        await Forwarder.DisposeAsync();
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

    /// <summary>Forwards and reads the whole answer, as the relay does.</summary>
    protected async Task<Exchange> ForwardAsync(int port, string method = "GET", UpstreamTimeouts? timeouts = null)
    {
        var exchange = NewExchange(port, method: method);
        await Forwarder.ForwardAsync(exchange, Upstream(timeouts));
        return exchange;
    }

    /// <summary>Reads content to its end and lets go of it.</summary>
    protected static async Task<string> ReadAsync(Exchange exchange, int pieceBytes = 1024)
    {
        var text = new StringBuilder();
        var buffer = new byte[pieceBytes];
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
