using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>The writer's contract, as code on the reactor and as code on another thread meets it.</summary>
public sealed class SocketWriterTests : IAsyncLifetime
{
    // More than the kernel's buffers of both sockets hold.
    private const int TooMuch = 48 * 1024 * 1024;

    private TransportPair _pair = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private PipeWriter Output => _pair.Output;

    public async ValueTask InitializeAsync() => _pair = await TransportPair.StartAsync(Cancellation);

    public ValueTask DisposeAsync() => _pair.DisposeAsync();

    [Theory, InlineData(true), InlineData(false)]
    public Task Bytes_leave_with_the_flush_and_not_before(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        Output.Write("hel"u8);
        "lo"u8.CopyTo(Output.GetSpan(2));
        Output.Advance(2);
        Assert.True(Output.CanGetUnflushedBytes);
        Assert.Equal(5, Output.UnflushedBytes);
        Assert.Equal(0, _pair.Peer.Available);

        var result = await Output.FlushAsync(Cancellation);

        Assert.True(_pair.Reactor.IsCurrent);
        Assert.False(result.IsCompleted || result.IsCanceled);
        Assert.Equal(0, Output.UnflushedBytes);
        Assert.Equal("hello", await ReceiveAsync(5));
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task Many_blocks_and_the_source_of_a_write_go_out_in_order(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var sent = new byte[1_200_000];
        Random.Shared.NextBytes(sent);
        var receiving = ReceiveAsync(_pair.Peer, sent.Length);
        Output.Write(sent.AsSpan(0, 700_000));
        var result = await Output.WriteAsync(sent.AsMemory(700_000), Cancellation);

        Assert.False(result.IsCompleted);
        Assert.Equal(sent, await receiving);
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_peer_that_reads_a_little_is_seen_to_read(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        // A client that reads slowly and steadily must not look like one that has stopped: its reading has to move the flush that waits, in small steps.
        _pair.Peer.ReceiveBufferSize = 128 * 1024;
        var piece = new byte[16 * 1024];
        var (flushing, written) = await WriteUntilItWaitsAsync();

        // What the peer's kernel holds, and the limit.
        Assert.InRange(written, 0, 1024 * 1024);
        for (var steps = 0; steps < 5; steps++)
        {
            var read = 0;
            do
            {
                // While the flush waits there is always more to read; and where the machine alone held it up, there is what was written.
                read += await _pair.Peer.ReceiveAsync(piece, Cancellation);
                await Task.WhenAny(flushing, Task.Delay(5, Cancellation));
            }
            while (!flushing.IsCompleted);

            Assert.InRange(read, 1, 512 * 1024);
            (flushing, _) = await WriteUntilItWaitsAsync();
        }

        async Task<(Task Flushing, int Written)> WriteUntilItWaitsAsync()
        {
            var written = 0;
            while (true)
            {
                var flushing = Output.WriteAsync(piece, Cancellation).AsTask();
                written += piece.Length;
                // Longer than a busy machine lets a flush wait that need not.
                if (await Task.WhenAny(flushing, Task.Delay(500, Cancellation)) != flushing)
                {
                    return (flushing, written);
                }
            }
        }
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task Memory_is_as_large_as_was_asked_for(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        foreach (var size in (int[])[0, 1, 4096, 4097, 32 * 1024, 100_000])
        {
            var memory = Output.GetMemory(size);
            Assert.True(memory.Length >= Math.Max(1, size));
            memory.Span[..size].Fill((byte)'x');
            Output.Advance(size);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => Output.GetMemory(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Output.Advance(Output.GetMemory().Length + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Output.Advance(-1));
        var total = (int)Output.UnflushedBytes;
        await Output.FlushAsync(Cancellation);
        Assert.Equal(new string('x', total), await ReceiveAsync(total));
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task Memory_that_was_not_used_sends_nothing(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        Output.GetMemory(10);
        Output.GetMemory(10_000);
        await Output.FlushAsync(Cancellation);
        Output.GetMemory(10);
        Output.GetMemory(10_000);
        Output.Write("x"u8);
        Output.GetMemory(40_000);
        await Output.FlushAsync(Cancellation);
        await Output.CompleteAsync();
        Assert.Equal("x", await ReceiveAsync(2));
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_flush_waits_while_the_peer_takes_nothing(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var sent = new byte[TooMuch];
        Random.Shared.NextBytes(sent);
        var flush = Output.WriteAsync(sent, Cancellation).AsTask();
        await Task.Delay(50, Cancellation);
        Assert.False(flush.IsCompleted);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Output.FlushAsync(Cancellation).AsTask());

        Assert.Equal(sent, await ReceiveAsync(_pair.Peer, sent.Length));
        Assert.False((await flush).IsCompleted);
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_cancelled_flush_gives_up_waiting_and_not_the_bytes(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var sent = new byte[TooMuch];
        Random.Shared.NextBytes(sent);
        var flush = Output.WriteAsync(sent, Cancellation).AsTask();
        await Task.Delay(20, Cancellation);
        Output.CancelPendingFlush();
        Assert.True((await flush).IsCanceled);

        using var impatience = new CancellationTokenSource(20);
        Output.Write("!"u8);
        await Assert.ThrowsAsync<OperationCanceledException>(() => Output.FlushAsync(impatience.Token).AsTask());

        var receiving = ReceiveAsync(_pair.Peer, sent.Length + 2);
        Output.Write("?"u8);
        var last = await Output.FlushAsync(Cancellation);
        Assert.False(last.IsCanceled);
        Assert.Equal((byte[])[.. sent, (byte)'!', (byte)'?'], await receiving);
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_cancellation_without_a_flush_is_kept_for_the_next(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        Output.CancelPendingFlush();
        Output.Write("x"u8);
        Assert.True((await Output.FlushAsync(Cancellation)).IsCanceled);
        Assert.Equal("x", await ReceiveAsync(1));
        Assert.False((await Output.FlushAsync(Cancellation)).IsCanceled);
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task Completion_sends_what_was_written_and_leaves_the_input_open(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        Output.Write("the end"u8);
        await Output.CompleteAsync();
        Assert.Equal("the end", await ReceiveAsync(100));
        Assert.Throws<InvalidOperationException>(() => Output.GetMemory());
        await Assert.ThrowsAsync<InvalidOperationException>(() => Output.FlushAsync(Cancellation).AsTask());

        await _pair.Peer.SendAsync("thanks"u8.ToArray(), Cancellation);
        var answer = await _pair.Input.ReadAtLeastAsync(6, Cancellation);
        Assert.Equal("thanks", Encoding.ASCII.GetString(answer.Buffer.ToArray()));
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task Completion_behind_a_full_socket_still_sends_everything(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var sent = new byte[TooMuch];
        Random.Shared.NextBytes(sent);
        Output.Write(sent);
        await Output.CompleteAsync();
        var disposing = _pair.Connection.DisposeAsync();
        Assert.Equal(sent, await ReceiveAsync(_pair.Peer, sent.Length + 1));
        await disposing;
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task Completion_with_an_error_resets(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        Output.Write("half of "u8);
        await Output.CompleteAsync(new IOException("The other half is lost."));
        var reset = await Assert.ThrowsAsync<SocketException>(() => ReceiveAsync(100));
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_flush_to_a_peer_that_reset_is_completed_and_does_not_throw(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        _pair.Peer.LingerState = new LingerOption(true, 0);
        _pair.Peer.Close();
        FlushResult result;
        do
        {
            Output.Write("anybody?"u8);
            result = await Output.FlushAsync(Cancellation);
        }
        while (!result.IsCompleted);

        Assert.True((await Output.WriteAsync(new byte[100_000], Cancellation)).IsCompleted);
        await Assert.ThrowsAsync<ConnectionResetException>(() => _pair.Input.ReadAsync(Cancellation).AsTask());
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_waiting_flush_ends_when_the_peer_resets(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var flush = Output.WriteAsync(new byte[TooMuch], Cancellation).AsTask();
        _pair.Peer.LingerState = new LingerOption(true, 0);
        _pair.Peer.Close();
        Assert.True((await flush).IsCompleted);
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_waiting_flush_ends_with_an_abort(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var flush = Output.WriteAsync(new byte[TooMuch], Cancellation).AsTask();
        _pair.Connection.Abort();
        Assert.True((await flush).IsCompleted);
    });

    private async Task<string> ReceiveAsync(int count) => Encoding.ASCII.GetString(await ReceiveAsync(_pair.Peer, count));

    /// <summary>So many bytes, or fewer when the connection ends before.</summary>
    private static Task<byte[]> ReceiveAsync(Socket socket, int count) => Task.Run(async () =>
    {
        var buffer = new byte[count];
        var received = 0;
        while (received < count && await socket.ReceiveAsync(buffer.AsMemory(received), Cancellation) is > 0 and var more)
        {
            received += more;
        }

        return buffer[..received];
    });
}
