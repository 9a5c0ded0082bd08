using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>How connections begin and end.</summary>
public sealed class ReactorConnectionTests : IAsyncLifetime
{
    private TransportPair _pair = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private ConnectionContext Connection => _pair.Connection;

    public async ValueTask InitializeAsync() => _pair = await TransportPair.StartAsync(Cancellation);

    public ValueTask DisposeAsync() => _pair.DisposeAsync();

    [Fact]
    public void It_knows_both_ends_and_has_what_kestrel_asks_for()
    {
        Assert.Equal(_pair.Peer.LocalEndPoint, Connection.RemoteEndPoint);
        Assert.Equal(_pair.Peer.RemoteEndPoint, Connection.LocalEndPoint);
        Assert.NotEmpty(Connection.ConnectionId);
        Assert.NotNull(Connection.Features.Get<IMemoryPoolFeature>()?.MemoryPool);
        Assert.Same(Connection.Transport, Connection.Features.Get<IConnectionTransportFeature>()?.Transport);
        Assert.Equal(Connection.ConnectionClosed, Connection.Features.Get<IConnectionLifetimeFeature>()?.ConnectionClosed);
        Assert.Equal(Connection.ConnectionId, Connection.Features.Get<IConnectionIdFeature>()?.ConnectionId);
        Assert.Equal(Connection.RemoteEndPoint, Connection.Features.Get<IConnectionEndPointFeature>()?.RemoteEndPoint);
        Connection.Items["a"] = 1;
        Assert.Equal(1, Connection.Features.Get<IConnectionItemsFeature>()?.Items["a"]);
    }

    [Theory]
    [InlineData("the client finishes")]
    [InlineData("the client resets")]
    [InlineData("an abort")]
    [InlineData("a disposal")]
    public async Task Whatever_ends_it_the_closed_token_fires_once_and_on_the_reactor(string end)
    {
        var fired = 0;
        var onReactor = false;
        var first = new TaskCompletionSource();
        Connection.ConnectionClosed.Register(() =>
        {
            onReactor = _pair.Reactor.IsCurrent;
            Interlocked.Increment(ref fired);
            first.TrySetResult();
        });
        switch (end)
        {
            case "the client finishes":
                _pair.Peer.Shutdown(SocketShutdown.Send);
                break;
            case "the client resets":
                Reset(_pair.Peer);
                break;
            case "an abort":
                Parallel.For(0, 4, _ => Connection.Abort());
                break;
            default:
                await Connection.DisposeAsync();
                break;
        }

        await first.Task.WaitAsync(Cancellation);
        Assert.True(onReactor);
        Connection.Abort();
        await Connection.DisposeAsync();
        await Connection.DisposeAsync();
        Assert.Equal(1, fired);
        Assert.True(Connection.ConnectionClosed.IsCancellationRequested);
    }

    [Fact]
    public async Task A_token_taken_after_the_end_is_cancelled()
    {
        _pair.Peer.Shutdown(SocketShutdown.Send);
        Assert.True((await Connection.Transport.Input.ReadAsync(Cancellation)).IsCompleted);
        await Connection.DisposeAsync();
        Assert.True(Connection.ConnectionClosed.IsCancellationRequested);
    }

    [Fact]
    public async Task Bytes_in_front_of_the_peers_end_are_read_before_the_connection_counts_as_closed()
    {
        await _pair.Peer.SendAsync(new byte[100_000], Cancellation);
        _pair.Peer.Shutdown(SocketShutdown.Send);
        await Task.Delay(50, Cancellation);
        Assert.False(Connection.ConnectionClosed.IsCancellationRequested);

        var closed = new TaskCompletionSource();
        using var registration = Connection.ConnectionClosed.Register(closed.SetResult);
        var all = await _pair.Input.ReadAtLeastAsync(200_000, Cancellation);
        Assert.Equal(100_000, all.Buffer.Length);
        await closed.Task.WaitAsync(Cancellation);
        _pair.Input.AdvanceTo(all.Buffer.End);
    }

    [Fact]
    public Task An_abort_gives_its_reason_to_the_waiting_read_and_resets_the_peer() => _pair.RunAsync(true, async () =>
    {
        var reason = new ConnectionAbortedException("enough");
        var read = _pair.Input.ReadAsync(Cancellation);
        Connection.Abort(reason);
        Connection.Abort(new ConnectionAbortedException("a later reason"));

        Assert.Same(reason, await Assert.ThrowsAsync<ConnectionAbortedException>(() => read.AsTask()));
        Assert.Same(reason, await Assert.ThrowsAsync<ConnectionAbortedException>(() => _pair.Input.ReadAsync(Cancellation).AsTask()));
        var seen = await Assert.ThrowsAsync<SocketException>(() => _pair.Peer.ReceiveAsync(new byte[1], Cancellation).AsTask());
        Assert.Equal(SocketError.ConnectionReset, seen.SocketErrorCode);
    });

    [Fact]
    public Task An_abort_followed_at_once_by_a_disposal_is_still_a_reset() => _pair.RunAsync(true, async () =>
    {
        Connection.Abort();
        await Connection.DisposeAsync();

        var broken = await Assert.ThrowsAsync<SocketException>(async () => await _pair.Peer.ReceiveAsync(new byte[1], Cancellation));
        Assert.Equal(SocketError.ConnectionReset, broken.SocketErrorCode);
    });

    [Fact]
    public async Task A_disposal_ends_with_a_close_that_the_peer_sees_as_an_end()
    {
        _pair.Output.Write("bye"u8);
        await Connection.DisposeAsync();
        var buffer = new byte[10];
        Assert.Equal(3, await _pair.Peer.ReceiveAsync(buffer, Cancellation));
        Assert.Equal(0, await _pair.Peer.ReceiveAsync(buffer, Cancellation));
        Assert.Equal(0, _pair.Transport.Sum(counters => counters.Open));
    }

    [Fact]
    public async Task The_end_of_the_transport_aborts_what_is_open()
    {
        var read = _pair.Input.ReadAsync(Cancellation).AsTask();
        await _pair.Transport.Transport.DisposeAsync();
        await Assert.ThrowsAsync<ConnectionAbortedException>(() => read);
        await Assert.ThrowsAsync<SocketException>(() => _pair.Peer.ReceiveAsync(new byte[1], Cancellation).AsTask());
    }

    [Fact]
    public async Task Every_operation_after_the_end_of_the_transport_still_ends()
    {
        var reactor = _pair.Reactor;
        await _pair.Transport.Transport.DisposeAsync();
        await Assert.ThrowsAsync<ConnectionAbortedException>(() => _pair.Input.ReadAsync(Cancellation).AsTask());
        Assert.True((await _pair.Output.WriteAsync(new byte[10], Cancellation)).IsCompleted);
        await reactor.SwitchAsync();
        Assert.True(reactor.IsCurrent);
        await Task.Yield();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _pair.Transport.Transport.ConnectAsync(_pair.Transport.EndPoint, Cancellation).AsTask());
    }

    [Fact]
    public Task A_connection_made_on_a_reactor_belongs_to_it_and_carries_bytes_both_ways() => _pair.RunAsync(true, async () =>
    {
        await using var outgoing = await _pair.Transport.Transport.ConnectAsync(_pair.Transport.EndPoint, Cancellation);
        Assert.True(_pair.Reactor.IsCurrent);
        Assert.Same(_pair.Reactor, outgoing.Features.Get<Reactor>());
        await using var incoming = await _pair.Transport.AcceptAsync(Cancellation);
        Assert.Equal(outgoing.LocalEndPoint, incoming.RemoteEndPoint);
        Assert.Equal(_pair.Transport.EndPoint, outgoing.RemoteEndPoint);

        await outgoing.Transport.Output.WriteAsync("ping"u8.ToArray(), Cancellation);
        Assert.Equal("ping"u8.ToArray(), (await incoming.Transport.Input.ReadAsync(Cancellation)).Buffer.ToArray());
        await incoming.Transport.Output.WriteAsync("pong"u8.ToArray(), Cancellation);
        Assert.Equal("pong"u8.ToArray(), (await outgoing.Transport.Input.ReadAsync(Cancellation)).Buffer.ToArray());
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_refused_connection_throws_as_sockets_do(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        using var reserved = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        reserved.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var refused = await Assert.ThrowsAsync<SocketException>(() => _pair.Transport.Transport.ConnectAsync(reserved.LocalEndPoint!, Cancellation).AsTask());
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        Assert.Equal(new SocketException((int)SocketError.ConnectionRefused).Message, refused.Message);
    });

    [Fact]
    public async Task A_connection_that_does_not_come_about_can_be_cancelled()
    {
        // A backlog that is full leaves further clients waiting.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        using var occupant = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await occupant.ConnectAsync(full.LocalEndPoint!, Cancellation);
        using var impatience = new CancellationTokenSource(100);

        var cancelled = await Assert.ThrowsAsync<OperationCanceledException>(async () =>
        {
            await using var extra = await _pair.Transport.Transport.ConnectAsync(full.LocalEndPoint!, impatience.Token);
            await using var another = await _pair.Transport.Transport.ConnectAsync(full.LocalEndPoint!, impatience.Token);
        });

        Assert.Equal(impatience.Token, cancelled.CancellationToken);
        Assert.Equal(1, _pair.Transport.Sum(counters => counters.Open));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _pair.Transport.Transport.ConnectAsync(_pair.Transport.EndPoint, impatience.Token).AsTask());
    }

    [Fact]
    public async Task Names_are_not_resolved() =>
        await Assert.ThrowsAsync<NotSupportedException>(() => _pair.Transport.Transport.ConnectAsync(new DnsEndPoint("localhost", 80), Cancellation).AsTask());

    private static void Reset(Socket socket)
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }
}
