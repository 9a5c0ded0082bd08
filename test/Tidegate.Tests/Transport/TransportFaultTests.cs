using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>What the kernel may answer at any time, injected: no byte is lost, no other connection suffers.</summary>
public sealed class TransportFaultTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0.5, 0, 0, 0)]
    [InlineData(0, 0.5, 0, 0)]
    [InlineData(0, 0, 0.5, 0)]
    [InlineData(0, 0, 0, 0.5)]
    [InlineData(0.3, 0.3, 0.3, 0.3)]
    public async Task Every_byte_arrives_once_and_in_order(double shortReads, double shortWrites, double tryAgain, double interrupted)
    {
        var plan = new FaultPlan(seed: 42) { ShortReads = shortReads, ShortWrites = shortWrites, TryAgain = tryAgain, Interrupted = interrupted };
        await using var transport = await StartAsync(plan, reactors: 2);
        var serving = Task.Run(async () =>
        {
            var echoes = new List<Task>();
            while (await transport.Listener.AcceptAsync(Cancellation) is { } connection)
            {
                echoes.Add(Traffic.EchoAsync(connection, Cancellation));
            }

            await Task.WhenAll(echoes);
        }, Cancellation);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(client => Task.Run(async () =>
        {
            using var socket = await transport.ConnectAsync(Cancellation);
            await Traffic.SendAndCompareAsync(socket, bytes: 400_000, seed: client, Cancellation);
        }, Cancellation)));
        await transport.Listener.UnbindAsync(Cancellation);
        await serving;

        Assert.True(plan.Injected > 100, $"{plan.Injected} faults");
        Assert.Equal(0, transport.Sum(counters => counters.Open));
    }

    [Theory]
    [InlineData(Errno.ConnectionReset)]
    [InlineData(Errno.TimedOut)]
    [InlineData(Errno.HostUnreachable)]
    public async Task An_error_of_a_read_breaks_its_connection_alone(int error)
    {
        var plan = new FaultPlan(seed: 1);
        await using var transport = await StartAsync(plan);
        using var other = await transport.ConnectAsync(Cancellation);
        await using var healthy = await transport.AcceptAsync(Cancellation);
        using var peer = await transport.ConnectAsync(Cancellation);
        await using var connection = await transport.AcceptAsync(Cancellation);
        plan.ReceiveErrors.Enqueue(error);
        await peer.SendAsync("x"u8.ToArray(), Cancellation);

        var broken = await Assert.ThrowsAsync<ConnectionResetException>(() => connection.Transport.Input.ReadAsync(Cancellation).AsTask());
        Assert.Equal(Errno.ToException(error).SocketErrorCode, Assert.IsType<SocketException>(broken.InnerException).SocketErrorCode);
        Assert.True((await connection.Transport.Output.WriteAsync("x"u8.ToArray(), Cancellation)).IsCompleted);
        await WaitAsync(connection.ConnectionClosed);

        await other.SendAsync("y"u8.ToArray(), Cancellation);
        Assert.Equal("y"u8.ToArray(), (await healthy.Transport.Input.ReadAsync(Cancellation)).Buffer.ToArray());
    }

    [Theory]
    [InlineData(Errno.ConnectionReset)]
    [InlineData(Errno.BrokenPipe)]
    [InlineData(Errno.TimedOut)]
    public async Task An_error_of_a_write_completes_the_flush_and_breaks_the_reads(int error)
    {
        var plan = new FaultPlan(seed: 1);
        await using var transport = await StartAsync(plan);
        using var peer = await transport.ConnectAsync(Cancellation);
        await using var connection = await transport.AcceptAsync(Cancellation);
        var read = connection.Transport.Input.ReadAsync(Cancellation).AsTask();
        plan.SendErrors.Enqueue(error);

        Assert.True((await connection.Transport.Output.WriteAsync("x"u8.ToArray(), Cancellation)).IsCompleted);
        await Assert.ThrowsAsync<ConnectionResetException>(() => read);
        await WaitAsync(connection.ConnectionClosed);
    }

    [Theory]
    [InlineData("not yet accepted")]
    [InlineData("idle")]
    [InlineData("reading")]
    [InlineData("unread")]
    [InlineData("writing")]
    [InlineData("half closed by us")]
    [InlineData("half closed by the peer")]
    [InlineData("disposing")]
    public async Task A_reset_by_the_peer_in_any_state_ends_that_connection_alone(string state)
    {
        await using var transport = await TestTransport.StartAsync(1, Cancellation);
        using var neighbour = await transport.ConnectAsync(Cancellation);
        await using var healthy = await transport.AcceptAsync(Cancellation);
        var peer = await transport.ConnectAsync(Cancellation);
        if (state == "not yet accepted")
        {
            peer.Close(0);
        }

        var connection = await transport.AcceptAsync(Cancellation);
        var (input, output) = (connection.Transport.Input, connection.Transport.Output);
        var closed = connection.ConnectionClosed;
        var (reading, writing, disposing) = (Task.FromResult<System.IO.Pipelines.ReadResult>(default), Task.FromResult<System.IO.Pipelines.FlushResult>(default), Task.CompletedTask);
        switch (state)
        {
            case "reading":
                reading = input.ReadAsync(Cancellation).AsTask();
                break;
            case "unread":
                await peer.SendAsync("x"u8.ToArray(), Cancellation);
                break;
            case "writing":
                writing = output.WriteAsync(new byte[16 << 20], Cancellation).AsTask();
                break;
            case "half closed by us":
                await output.CompleteAsync();
                Assert.Equal(0, await peer.ReceiveAsync(new byte[1], Cancellation));
                break;
            case "half closed by the peer":
                peer.Shutdown(SocketShutdown.Send);
                Assert.True((await input.ReadAsync(Cancellation)).IsCompleted);
                input.AdvanceTo(default);
                writing = output.WriteAsync(new byte[16 << 20], Cancellation).AsTask();
                break;
            case "disposing":
                writing = output.WriteAsync(new byte[16 << 20], Cancellation).AsTask();
                disposing = connection.DisposeAsync().AsTask();
                break;
        }

        peer.Close(0);

        await WaitAsync(closed);
        if (state == "reading")
        {
            await Assert.ThrowsAsync<ConnectionResetException>(() => reading);
        }
        else if (state is "writing" or "half closed by the peer" or "disposing")
        {
            Assert.True((await writing.WaitAsync(Cancellation)).IsCompleted);
        }

        // Well within the time that a close may wait for a peer.
        await disposing.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        await connection.DisposeAsync();
        Assert.Equal(1, transport.Sum(counters => counters.Open));
        await neighbour.SendAsync("y"u8.ToArray(), Cancellation);
        Assert.Equal("y"u8.ToArray(), (await healthy.Transport.Input.ReadAsync(Cancellation)).Buffer.ToArray());
    }

    [Theory]
    [InlineData(Errno.TooManyDescriptors)]
    [InlineData(Errno.SystemTableFull)]
    [InlineData(Errno.NoBuffers)]
    public async Task Out_of_descriptors_accepting_pauses_and_the_others_are_served(int error)
    {
        var plan = new FaultPlan(seed: 1);
        await using var transport = await StartAsync(plan);
        transport.AllowsLines = true;
        using var first = await transport.ConnectAsync(Cancellation);
        await using var served = await transport.AcceptAsync(Cancellation);
        for (var i = 0; i < 3; i++)
        {
            plan.AcceptErrors.Enqueue(error);
        }

        using var second = await transport.ConnectAsync(Cancellation);
        await first.SendAsync("x"u8.ToArray(), Cancellation);
        Assert.Equal(1, (await served.Transport.Input.ReadAsync(Cancellation)).Buffer.Length);

        await using var late = await transport.AcceptAsync(Cancellation);
        Assert.Equal(second.LocalEndPoint, late.RemoteEndPoint);
        Assert.Equal(3, transport.Sum(counters => counters.AcceptPauses));
        Assert.Contains("pauses for 100 ms", Assert.Single(transport.Log));

        // The pause is an idle one.
        Assert.True(transport.Sum(counters => counters.Turns) < 200);
    }

    [Theory]
    [InlineData(Errno.ConnectionAborted)]
    [InlineData(Errno.Interrupted)]
    [InlineData(Errno.Protocol)]
    [InlineData(Errno.NetworkDown)]
    public async Task An_error_of_one_accepted_connection_does_not_keep_the_next_waiting(int error)
    {
        var plan = new FaultPlan(seed: 1);
        await using var transport = await StartAsync(plan);
        plan.AcceptErrors.Enqueue(error);
        using var client = await transport.ConnectAsync(Cancellation);
        await using var accepted = await transport.AcceptAsync(Cancellation);
        Assert.Equal(0, transport.Sum(counters => counters.AcceptPauses));
    }

    [Fact]
    public async Task A_descriptor_that_cannot_be_watched_is_closed()
    {
        var plan = new FaultPlan(seed: 1);
        await using var transport = await StartAsync(plan);
        transport.AllowsLines = true;
        plan.WatchErrors.Enqueue(28);
        using var client = await transport.ConnectAsync(Cancellation);
        Assert.Equal(0, await client.ReceiveAsync(new byte[1], Cancellation));
        plan.WatchErrors.Enqueue(28);
        await Assert.ThrowsAsync<SocketException>(() => transport.Transport.ConnectAsync(transport.EndPoint, Cancellation).AsTask());
        Assert.Equal(0, transport.Sum(counters => counters.Open));
    }

    [Fact]
    public async Task A_listener_that_one_reactor_cannot_watch_leaves_none_of_its_sockets_open()
    {
        var plan = new FaultPlan(seed: 1);
        await using var transport = await StartAsync(plan, reactors: 3);
        var port = Tidegate.Testing.TestPorts.Free();
        plan.WatchErrors.Enqueue(0);
        plan.WatchErrors.Enqueue(28);
        await Assert.ThrowsAsync<SocketException>(() => transport.Transport.BindAsync(new IPEndPoint(IPAddress.Loopback, port), Cancellation).AsTask());

        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var refused = await Assert.ThrowsAsync<SocketException>(() => client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), Cancellation).AsTask());
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        await using var again = await transport.Transport.BindAsync(new IPEndPoint(IPAddress.Loopback, port), Cancellation);
    }

    [Fact]
    public async Task Outgoing_connections_tell_what_stopped_them()
    {
        var plan = new FaultPlan(seed: 1);
        await using var transport = await StartAsync(plan);
        plan.SocketErrors.Enqueue(Errno.TooManyDescriptors);
        plan.ConnectErrors.Enqueue(Errno.NetworkUnreachable);
        var first = await Assert.ThrowsAsync<SocketException>(() => transport.Transport.ConnectAsync(transport.EndPoint, Cancellation).AsTask());
        var second = await Assert.ThrowsAsync<SocketException>(() => transport.Transport.ConnectAsync(transport.EndPoint, Cancellation).AsTask());
        Assert.Equal((SocketError.TooManyOpenSockets, SocketError.NetworkUnreachable), (first.SocketErrorCode, second.SocketErrorCode));
        Assert.Equal(0, transport.Sum(counters => counters.Open));
        await using var third = await transport.Transport.ConnectAsync(transport.EndPoint, Cancellation);
    }

    private static Task<TestTransport> StartAsync(FaultPlan plan, int reactors = 1) =>
        TestTransport.StartAsync(reactors, (count, log) => new ReactorTransport<FaultingCalls>(count, new FaultingCalls(plan), TimeProvider.System, log), Cancellation);

    private static async Task WaitAsync(CancellationToken token)
    {
        var cancelled = new TaskCompletionSource();
        await using var registration = token.Register(cancelled.SetResult);
        await cancelled.Task.WaitAsync(Cancellation);
    }
}
