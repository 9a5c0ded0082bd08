using System.IO.Pipelines;
using System.Net;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests;

public sealed class StreamPumpTests
{
    [Fact]
    public async Task Both_directions_are_counted_when_the_upstream_ends_first()
    {
        var cancellation = TestContext.Current.CancellationToken;
        Pipe fromClient = new(), toClient = new(), fromUpstream = new(), toUpstream = new();
        await fromClient.Writer.WriteAsync(new byte[700], cancellation);
        await using var client = new DuplexStream(fromClient.Reader, toClient.Writer);
        await using var upstream = new DuplexStream(fromUpstream.Reader, toUpstream.Writer);
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, IdleTimeout = TimeSpan.FromMinutes(1) };

        var pumping = StreamPump.RunAsync(exchange, client, upstream, TimeProvider.System);
        await toUpstream.Reader.ReadAtLeastAsync(700, cancellation);
        await fromUpstream.Writer.WriteAsync(new byte[900], cancellation);
        await fromUpstream.Writer.CompleteAsync();
        await pumping;

        Assert.Equal((700, 900), (exchange.RequestBodyBytes, exchange.ResponseBodyBytes));
    }
}
