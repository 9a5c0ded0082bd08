using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

public sealed class ReactorListenerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Port_0_is_one_port_for_all_reactors_and_the_kernel_spreads_connections()
    {
        await using var transport = await TestTransport.StartAsync(3, Cancellation);
        var reactors = new HashSet<Reactor>();
        for (var i = 0; i < 200 && reactors.Count < 3; i++)
        {
            using var client = await transport.ConnectAsync(Cancellation);
            await using var accepted = await transport.AcceptAsync(Cancellation);
            Assert.Equal(transport.EndPoint, accepted.LocalEndPoint);
            reactors.Add(accepted.Features.Get<Reactor>()!);
        }

        Assert.Equal(3, reactors.Count);
    }

    [Theory]
    [InlineData("a plain socket")]
    [InlineData("another transport, which shares its port among its own")]
    public async Task An_address_in_use_is_refused(string by)
    {
        await using var transport = await TestTransport.StartAsync(2, Cancellation);
        using var plain = new TcpListener(IPAddress.Loopback, 0);
        plain.Start();
        await using var second = ReactorTransport.Create(2, TimeProvider.System, static _ => { });

        var refused = await Assert.ThrowsAsync<AddressInUseException>(() => second.BindAsync(by == "a plain socket" ? plain.LocalEndpoint : transport.EndPoint, Cancellation).AsTask());

        Assert.Equal(new SocketException((int)SocketError.AddressAlreadyInUse).Message, refused.Message);
    }

    [Fact]
    public async Task An_address_that_is_not_ours_is_refused()
    {
        await using var transport = ReactorTransport.Create(1, TimeProvider.System, static _ => { });
        var refused = await Assert.ThrowsAsync<SocketException>(() => transport.BindAsync(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 0), Cancellation).AsTask());
        Assert.Equal(SocketError.AddressNotAvailable, refused.SocketErrorCode);
        Assert.False(transport.CanBind(new UnixDomainSocketEndPoint("/tmp/x")));
        Assert.True(transport.CanBind(new IPEndPoint(IPAddress.Any, 0)));
    }

    [Fact]
    public async Task Any_address_of_ipv6_serves_ipv4_too_and_any_other_does_not()
    {
        await using var transport = ReactorTransport.Create(1, TimeProvider.System, static _ => { });
        await using var both = await transport.BindAsync(new IPEndPoint(IPAddress.IPv6Any, 0), Cancellation);
        var port = ((IPEndPoint)both.EndPoint).Port;
        using var four = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await four.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), Cancellation);
        await using var accepted = (await both.AcceptAsync(Cancellation))!;
        Assert.Equal(IPAddress.Loopback.MapToIPv6(), ((IPEndPoint)accepted.LocalEndPoint!).Address);
        Assert.Equal(((IPEndPoint)four.LocalEndPoint!).Port, ((IPEndPoint)accepted.RemoteEndPoint!).Port);

        await using var six = await transport.BindAsync(new IPEndPoint(IPAddress.IPv6Loopback, 0), Cancellation);
        await using var outgoing = await transport.ConnectAsync(six.EndPoint, Cancellation);
        await using var incoming = (await six.AcceptAsync(Cancellation))!;
        Assert.Equal(outgoing.LocalEndPoint, incoming.RemoteEndPoint);
        Assert.Equal(IPAddress.IPv6Loopback, ((IPEndPoint)incoming.RemoteEndPoint!).Address);
    }

    [Fact]
    public async Task Connections_that_wait_at_the_unbind_are_handed_over_and_new_ones_are_refused()
    {
        await using var transport = await TestTransport.StartAsync(2, Cancellation);
        var clients = new List<Socket>();
        for (var i = 0; i < 50; i++)
        {
            clients.Add(await transport.ConnectAsync(Cancellation));
        }

        await transport.Listener.UnbindAsync(Cancellation);
        await Assert.ThrowsAsync<SocketException>(() => transport.ConnectAsync(Cancellation));
        var accepted = new List<ConnectionContext>();
        while (await transport.Listener.AcceptAsync(Cancellation) is { } connection)
        {
            accepted.Add(connection);
        }

        Assert.Equal(50, accepted.Count);
        foreach (var connection in accepted)
        {
            await connection.Transport.Output.WriteAsync("x"u8.ToArray(), Cancellation);
            await connection.DisposeAsync();
        }

        foreach (var client in clients)
        {
            Assert.Equal(1, await client.ReceiveAsync(new byte[1], Cancellation));
            client.Dispose();
        }
    }

    [Fact]
    public async Task Connections_that_nobody_accepted_are_reset_at_the_end()
    {
        var transport = await TestTransport.StartAsync(1, Cancellation);
        using var client = await transport.ConnectAsync(Cancellation);
        await transport.DisposeAsync();
        var reset = await Assert.ThrowsAsync<SocketException>(() => client.ReceiveAsync(new byte[1], Cancellation).AsTask());
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
    }

    [Fact]
    public async Task A_waiting_accept_ends_with_null_or_with_its_token()
    {
        await using var transport = await TestTransport.StartAsync(1, Cancellation);
        using var impatience = new CancellationTokenSource(20);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => transport.Listener.AcceptAsync(impatience.Token).AsTask());
        var accept = transport.Listener.AcceptAsync(Cancellation).AsTask();
        await transport.Listener.UnbindAsync(Cancellation);
        Assert.Null(await accept);
    }
}
