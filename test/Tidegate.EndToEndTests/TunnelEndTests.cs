using System.Net;
using System.Net.Sockets;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>How a tunnel ends, and what the record says of it.</summary>
public sealed class TunnelEndTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_closes_or_resets_a_tunnel_is_its_end_and_no_failure(bool resets)
    {
        using var upstream = new TcpListener(IPAddress.Loopback, 0);
        upstream.Start();
        var port = ((IPEndPoint)upstream.LocalEndpoint).Port;
        await using var gateway = await TestGateway.StartAsync("""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis: [{ name: any, direction: egress, hosts: [127.0.0.1], tunnel: any }]
            """, Cancellation);
        using var client = new TcpClient();
        await client.ConnectAsync(gateway["egress"], Cancellation);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), Cancellation);
        using var accepted = await upstream.AcceptTcpClientAsync(Cancellation);
        await client.GetStream().WriteAsync("ping"u8.ToArray(), Cancellation);
        await accepted.GetStream().ReadExactlyAsync(new byte[4], Cancellation);

        if (resets)
        {
            // At once, without the shutdown that comes before a close.
            client.Client.Close(0);
        }
        else
        {
            client.Close();
        }

        // A client's half-close is passed on: the upstream ends it then.
        if (!resets)
        {
            Assert.Equal(0, await accepted.GetStream().ReadAsync(new byte[1], Cancellation));
            accepted.Close();
        }

        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Outcome.Forwarded, 200, "", 4), (record.Outcome, record.Status, record.Code, record.RequestBytes));
    }
}
