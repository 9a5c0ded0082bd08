using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>The reader's contract, as code on the reactor and as code on another thread meets it.</summary>
public sealed class SocketReaderTests : IAsyncLifetime
{
    private TransportPair _pair = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private PipeReader Input => _pair.Input;

    public async ValueTask InitializeAsync() => _pair = await TransportPair.StartAsync(Cancellation);

    public ValueTask DisposeAsync() => _pair.DisposeAsync();

    [Theory, InlineData(true), InlineData(false)]
    public Task A_read_waits_for_bytes_and_gives_them(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var read = Input.ReadAsync(Cancellation);
        Assert.False(read.IsCompleted);

        await _pair.Peer.SendAsync("hello"u8.ToArray(), Cancellation);
        var result = await read;

        Assert.Equal("hello", Text(result));
        Assert.False(result.IsCompleted || result.IsCanceled);
        Assert.True(_pair.Reactor.IsCurrent);
    });

    [Fact]
    public Task What_the_peer_said_before_it_reset_is_read_although_a_send_met_the_reset_first() => _pair.RunAsync(onReactor: true, async () =>
    {
        // All within one turn, so that epoll has told of neither the bytes nor the reset.
        Assert.False(Input.TryRead(out _));
        _pair.Peer.Send("too large"u8);
        _pair.Peer.LingerState = new LingerOption(true, 0);
        _pair.Peer.Dispose();
        Assert.True((await _pair.Output.WriteAsync(new byte[100_000], Cancellation)).IsCompleted);

        var result = await Input.ReadAsync(Cancellation);
        Assert.Equal("too large", Text(result));
        Input.AdvanceTo(result.Buffer.End);
        await Assert.ThrowsAsync<ConnectionResetException>(() => Input.ReadAsync(Cancellation).AsTask());
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task What_was_examined_comes_back_only_with_news(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        await _pair.Peer.SendAsync("abc"u8.ToArray(), Cancellation);
        var first = await Input.ReadAtLeastAsync(3, Cancellation);
        Input.AdvanceTo(first.Buffer.GetPosition(1), first.Buffer.End);

        var second = Input.ReadAsync(Cancellation);
        Assert.False(second.IsCompleted);
        await _pair.Peer.SendAsync("d"u8.ToArray(), Cancellation);

        Assert.Equal("bcd", Text(await second));
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task What_was_not_examined_comes_back_at_once(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        await _pair.Peer.SendAsync("abc"u8.ToArray(), Cancellation);
        var first = await Input.ReadAtLeastAsync(3, Cancellation);
        Input.AdvanceTo(first.Buffer.GetPosition(1));

        var second = Input.ReadAsync(Cancellation);
        Assert.True(second.IsCompleted);
        Assert.Equal("bc", Text(await second));
        Input.AdvanceTo((await Rest()).Buffer.End);

        async ValueTask<ReadResult> Rest()
        {
            // Examined to the second of two bytes: the read does not wait either.
            Input.AdvanceTo(second.Result.Buffer.Start, second.Result.Buffer.GetPosition(1));
            Assert.True(Input.TryRead(out var third));
            Assert.Equal("bc", Text(third));
            return await ValueTask.FromResult(third);
        }
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_message_of_many_blocks_is_one_sequence(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var sent = new byte[300_000];
        Random.Shared.NextBytes(sent);
        var sending = _pair.Peer.SendAsync(sent, Cancellation).AsTask();

        var result = await Input.ReadAtLeastAsync(sent.Length, Cancellation);
        Assert.False(result.Buffer.IsSingleSegment);
        Assert.Equal(sent, result.Buffer.ToArray());

        // Consumed into the middle of a block, the rest stands as it was.
        Input.AdvanceTo(result.Buffer.GetPosition(100_001), result.Buffer.End);
        await _pair.Peer.SendAsync("!"u8.ToArray(), Cancellation);
        var rest = await Input.ReadAsync(Cancellation);
        Assert.Equal([.. sent.AsSpan(100_001), (byte)'!'], rest.Buffer.ToArray());
        Input.AdvanceTo(rest.Buffer.End);
        await sending;
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task The_peers_end_completes_reads_after_the_last_bytes(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        await _pair.Peer.SendAsync("bye"u8.ToArray(), Cancellation);
        _pair.Peer.Shutdown(SocketShutdown.Send);

        var result = await Input.ReadAtLeastAsync(100, Cancellation);
        Assert.Equal("bye", Text(result));
        Assert.True(result.IsCompleted);
        Input.AdvanceTo(result.Buffer.Start, result.Buffer.End);

        // Nothing new, but nothing to wait for either.
        result = await Input.ReadAsync(Cancellation);
        Assert.Equal("bye", Text(result));
        Assert.True(result.IsCompleted);
        Input.AdvanceTo(result.Buffer.End);
        Assert.True((await Input.ReadAsync(Cancellation)).IsCompleted);
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_reset_throws_after_what_came_before_it_was_read(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        await _pair.Peer.SendAsync("half"u8.ToArray(), Cancellation);
        var result = await Input.ReadAsync(Cancellation);
        Input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        var read = Input.ReadAsync(Cancellation);
        _pair.Peer.LingerState = new LingerOption(true, 0);
        _pair.Peer.Close();

        await Assert.ThrowsAsync<ConnectionResetException>(() => read.AsTask());
        await Assert.ThrowsAsync<ConnectionResetException>(() => Input.ReadAsync(Cancellation).AsTask());
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_waiting_read_can_be_cancelled_and_repeated(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var read = Input.ReadAsync(Cancellation);
        _ = Task.Run(Input.CancelPendingRead, Cancellation);
        var result = await read;
        Assert.True(result.IsCanceled);
        Assert.True(result.Buffer.IsEmpty);
        Input.AdvanceTo(result.Buffer.Start);

        await _pair.Peer.SendAsync("a"u8.ToArray(), Cancellation);
        result = await Input.ReadAsync(Cancellation);
        Assert.False(result.IsCanceled);
        Assert.Equal("a", Text(result));
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_cancellation_without_a_read_is_kept_for_the_next(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        Input.CancelPendingRead();
        Assert.True((await Input.ReadAsync(Cancellation)).IsCanceled);

        // A cancelled read need not be advanced from.
        var next = Input.ReadAsync(Cancellation);
        Assert.False(next.IsCompleted);
        Input.CancelPendingRead();
        Assert.True((await next).IsCanceled);
        Input.AdvanceTo(default);
        Assert.False(Input.TryRead(out _));
        Input.CancelPendingRead();
        Assert.True(Input.TryRead(out var result));
        Assert.True(result.IsCanceled);
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_token_cancels_one_read_and_loses_nothing(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        using var impatience = new CancellationTokenSource();
        var read = Input.ReadAsync(impatience.Token);
        impatience.CancelAfter(20);
        var cancelled = await Assert.ThrowsAsync<OperationCanceledException>(() => read.AsTask());
        Assert.Equal(impatience.Token, cancelled.CancellationToken);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Input.ReadAsync(impatience.Token).AsTask());

        await _pair.Peer.SendAsync("still here"u8.ToArray(), Cancellation);
        Assert.Equal("still here", Text(await Input.ReadAsync(Cancellation)));
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task Two_reads_at_once_are_refused(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        var read = Input.ReadAsync(Cancellation);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Input.ReadAsync(Cancellation).AsTask());
        await _pair.Peer.SendAsync("a"u8.ToArray(), Cancellation);
        var result = await read;
        Assert.Throws<InvalidOperationException>(() => Input.TryRead(out _));
        Input.AdvanceTo(result.Buffer.End);
        Assert.Throws<InvalidOperationException>(() => Input.AdvanceTo(default));
    });

    [Theory, InlineData(true), InlineData(false)]
    public Task A_completed_reader_is_not_read(bool onReactor) => _pair.RunAsync(onReactor, async () =>
    {
        await Input.CompleteAsync();
        await Input.CompleteAsync(new IOException());
        await Assert.ThrowsAsync<InvalidOperationException>(() => Input.ReadAsync(Cancellation).AsTask());
        Assert.Throws<InvalidOperationException>(() => Input.TryRead(out _));
        Assert.Throws<InvalidOperationException>(() => Input.AdvanceTo(default));
    });

    [Fact]
    public Task Positions_of_another_buffer_are_refused() => _pair.RunAsync(true, async () =>
    {
        await _pair.Peer.SendAsync("abc"u8.ToArray(), Cancellation);
        var result = await Input.ReadAtLeastAsync(3, Cancellation);
        var end = result.Buffer.End;
        Assert.Throws<ArgumentOutOfRangeException>(() => Input.AdvanceTo(end, result.Buffer.Start));
        Assert.Throws<ArgumentOutOfRangeException>(() => Input.AdvanceTo(new SequencePosition(end.GetObject(), 4)));
        Input.AdvanceTo(end);
    });

    [Fact]
    public Task On_the_reactor_what_the_socket_holds_is_read_without_waiting() => _pair.RunAsync(true, async () =>
    {
        await _pair.Peer.SendAsync("a"u8.ToArray(), Cancellation);
        var result = await Input.ReadAsync(Cancellation);
        Input.AdvanceTo(result.Buffer.End);

        // More than one receive takes, so that the rest is known to be there.
        await _pair.Peer.SendAsync(new byte[40_000], Cancellation);
        result = await Input.ReadAsync(Cancellation);
        Input.AdvanceTo(result.Buffer.End);
        Assert.True(Input.TryRead(out result));
        Input.AdvanceTo(result.Buffer.End);
    });

    [Fact]
    public Task As_a_stream_it_reads_to_the_end() => _pair.RunAsync(true, async () =>
    {
        await _pair.Peer.SendAsync(new byte[70_000], Cancellation);
        _pair.Peer.Shutdown(SocketShutdown.Send);
        using var all = new MemoryStream();
        await Input.AsStream().CopyToAsync(all, Cancellation);
        Assert.Equal(70_000, all.Length);
    });

    [Fact]
    public Task Urgent_data_does_not_stall_what_follows_it() => _pair.RunAsync(true, async () =>
    {
        // The kernel ends a read at the urgent mark: the short read does not mean that the socket is empty.
        var read = Input.ReadAsync(Cancellation);
        await _pair.Peer.SendAsync("before"u8.ToArray(), Cancellation);
        Input.AdvanceTo((await read).Buffer.End);
        _pair.Peer.Send("!"u8, SocketFlags.OutOfBand);
        _pair.Peer.Send("after"u8);

        var received = "";
        while (!received.Contains("after", StringComparison.Ordinal))
        {
            var result = await Input.ReadAsync(Cancellation);
            received += Text(result);
            Input.AdvanceTo(result.Buffer.End);
        }
    });

    private static string Text(ReadResult result) => Encoding.Latin1.GetString(result.Buffer.ToArray());
}
