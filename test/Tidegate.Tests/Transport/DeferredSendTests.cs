using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Tidegate.Testing;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>Small flushes of a turn in which other sockets have something to say too: they leave at its end, together.</summary>
public sealed class DeferredSendTests : IAsyncLifetime
{
    private TestTransport _transport = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _transport = await TestTransport.StartAsync(1, Cancellation);

    public ValueTask DisposeAsync() => _transport.DisposeAsync();

    [Fact]
    public async Task Several_flushes_of_one_connection_leave_in_one_send_and_all_of_them_arrive()
    {
        await using var first = await PairAsync();
        await using var last = await PairAsync();
        var sends = await InOneTurnAsync(
            (first, async () =>
            {
                await WriteAsync(first, "one ");
                await WriteAsync(first, "two ");
                await WriteAsync(first, "three");
            }
        ),
            (last, () => WriteAsync(last, "at once")));

        Assert.Equal("one two three", await ReceiveAsync(first.Peer, 13));
        Assert.Equal("at once", await ReceiveAsync(last.Peer, 7));
        Assert.Equal(2, sends);
    }

    [Fact]
    public async Task A_flush_does_not_wait_for_the_end_of_a_turn_in_which_much_else_is_done()
    {
        var pairs = new List<Pair>();
        for (var i = 0; i < 60; i++)
        {
            pairs.Add(await PairAsync());
        }

        var reactor = pairs[0].Connection.Features.Get<Reactor>()!;
        var (before, seen) = (0L, 0L);
        await InOneTurnAsync(
        [
            (pairs[0], async () =>
            {
                before = reactor.Counters.Sends;
                await WriteAsync(pairs[0], "small");
                Assert.Equal(before, reactor.Counters.Sends);
            }),
            .. pairs.Skip(1).SkipLast(1).Select(pair => (pair, (Func<Task>)(() => Task.CompletedTask))),
            (pairs[^1], () =>
            {
                seen = reactor.Counters.Sends;
                return Task.CompletedTask;
            }),
        ]);

        Assert.Equal(before + 1, seen);
        Assert.Equal("small", await ReceiveAsync(pairs[0].Peer, 5));
        foreach (var pair in pairs)
        {
            await pair.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_flushed_arrives_before_the_reset_of_an_abort_in_the_same_turn(bool completes)
    {
        await using var first = await PairAsync();
        await using var last = await PairAsync();
        await InOneTurnAsync(
            (first, async () =>
            {
                await WriteAsync(first, "begun");
                if (completes)
                {
                    await first.Connection.Transport.Output.CompleteAsync(new InvalidOperationException("It broke."));
                }
                else
                {
                    first.Connection.Abort(new ConnectionAbortedException("It broke."));
                }
            }
        ),
            (last, () => WriteAsync(last, "whole")));

        Assert.Equal("begun", await ReceiveAsync(first.Peer, 5));
        await Assert.ThrowsAsync<SocketException>(async () => await first.Peer.ReceiveAsync(new byte[1], Cancellation));
        Assert.Equal("whole", await ReceiveAsync(last.Peer, 5));
    }

    [Fact]
    public async Task What_was_flushed_arrives_before_the_end_of_a_connection_that_is_closed_in_the_same_turn()
    {
        await using var first = await PairAsync();
        await using var last = await PairAsync();
        await InOneTurnAsync(
            (first, async () =>
            {
                await WriteAsync(first, "good bye");
                await first.Connection.DisposeAsync();
            }
        ),
            (last, () => WriteAsync(last, "x")));

        Assert.Equal("good bye", await ReceiveAsync(first.Peer, 8));
        Assert.Equal(0, await first.Peer.ReceiveAsync(new byte[1], Cancellation));
    }

    [Fact]
    public async Task Small_and_large_flushes_keep_their_order()
    {
        await using var first = await PairAsync();
        await using var last = await PairAsync();
        var large = new string('L', 200_000);
        var writing = InOneTurnAsync(
            (first, async () =>
            {
                await WriteAsync(first, "small ");
                await WriteAsync(first, large);
                await WriteAsync(first, " end");
            }
        ),
            (last, () => WriteAsync(last, "x")));

        Assert.Equal($"small {large} end", await ReceiveAsync(first.Peer, large.Length + 10));
        await writing;
    }

    private static async Task WriteAsync(Pair pair, string text) => await pair.Connection.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes(text), Cancellation);

    private static async Task<string> ReceiveAsync(Socket peer, int count)
    {
        var bytes = new byte[count];
        for (var received = 0; received < count;)
        {
            var read = await peer.ReceiveAsync(bytes.AsMemory(received), Cancellation);
            Assert.NotEqual(0, read);
            received += read;
        }

        return Encoding.ASCII.GetString(bytes);
    }

    private async Task<Pair> PairAsync()
    {
        var peer = await _transport.ConnectAsync(Cancellation);
        return new Pair(await _transport.AcceptAsync(Cancellation), peer);
    }

    /// <summary>Lets every connection read a byte in one turn of the reactor, in this order, and do something then.</summary>
    /// <returns>How often was sent meanwhile.</returns>
    private async Task<long> InOneTurnAsync(params (Pair Pair, Func<Task> Work)[] steps)
    {
        var reactor = steps[0].Pair.Connection.Features.Get<Reactor>()!;
        var reading = 0;
        var working = steps.Select(step => Task.Run(async () =>
        {
            await reactor.SwitchAsync();
            var coming = step.Pair.Connection.Transport.Input.ReadAsync(Cancellation);
            Interlocked.Increment(ref reading);
            var read = await coming;
            step.Pair.Connection.Transport.Input.AdvanceTo(read.Buffer.End);
            step.Pair.Turn = reactor.Counters.Turns;
            await step.Work();
        })).ToList();

        // Everybody waits for its byte, and the reactor stands still until all bytes are there.
        using var held = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        await Eventually.HoldsAsync(() => Volatile.Read(ref reading) == steps.Length, "Not everybody reads.", Cancellation);
        reactor.Post(
            _ =>
            {
                held.Set();
                go.Wait(TimeSpan.FromSeconds(60));
            },
            null);
        Assert.True(held.Wait(TimeSpan.FromSeconds(60), Cancellation));
        var sends = reactor.Counters.Sends;
        var turns = reactor.Counters.Turns;
        foreach (var (pair, _) in steps)
        {
            await pair.Peer.SendAsync(new byte[1], Cancellation);
        }

        go.Set();
        await Task.WhenAll(working);
        await Task.Run(async () => await reactor.SwitchAsync(), Cancellation);
        Assert.All(steps, step => Assert.Equal(turns + 1, step.Pair.Turn));
        return reactor.Counters.Sends - sends;
    }

    private sealed class Pair(ConnectionContext connection, Socket peer) : IAsyncDisposable
    {
        public ConnectionContext Connection => connection;

        public Socket Peer => peer;

        /// <summary>In which turn of the reactor its byte was read.</summary>
        public long Turn { get; set; }

        public async ValueTask DisposeAsync()
        {
            peer.Dispose();
            await connection.DisposeAsync();
        }
    }
}
