using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>Cancellations, aborts and disposals from other threads, at the worst moments: everything ends, and until then no byte is out of place.</summary>
public sealed class TransportRaceTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, InlineData(true), InlineData(false)]
    public async Task Bytes_stay_in_order_while_reads_and_flushes_are_cancelled(bool onReactor)
    {
        await using var pair = await TransportPair.StartAsync(Cancellation);
        using var stop = new CancellationTokenSource();
        var cancelling = Task.Run(() =>
        {
            var random = new Random(3);
            while (!stop.IsCancellationRequested)
            {
                (random.Next(2) == 0 ? (Action)pair.Input.CancelPendingRead : pair.Output.CancelPendingFlush)();
                Thread.SpinWait(random.Next(2_000));
            }
        }, Cancellation);
        var echoing = pair.RunAsync(onReactor, () => EchoAsync(pair, onReactor));

        await Traffic.SendAndCompareAsync(pair.Peer, 20_000_000, seed: 5, Cancellation);
        await echoing;
        await stop.CancelAsync();
        await cancelling;
    }

    [Theory]
    [InlineData("abort")]
    [InlineData("dispose")]
    [InlineData("the peer resets")]
    [InlineData("the peer closes")]
    [InlineData("the transport ends")]
    public async Task Whenever_the_end_comes_every_operation_ends(string end)
    {
        var random = new Random(11);
        for (var round = 0; round < 100; round++)
        {
            await using var transport = await TestTransport.StartAsync(2, Cancellation);
            var peer = await transport.ConnectAsync(Cancellation);
            var connection = await transport.AcceptAsync(Cancellation);
            var reading = Task.Run(() => ReadAllAsync(connection, hops: random.Next(2) == 0), Cancellation);
            var writing = Task.Run(() => WriteAsync(connection), Cancellation);
            var cancelling = Task.Run(() =>
            {
                while (!writing.IsCompleted)
                {
                    connection.Transport.Input.CancelPendingRead();
                    connection.Transport.Output.CancelPendingFlush();
                    Thread.Yield();
                }
            }, Cancellation);
            var closed = new TaskCompletionSource();
            connection.ConnectionClosed.Register(closed.SetResult);
            await peer.SendAsync(new byte[random.Next(1, 100_000)], Cancellation);
            Thread.SpinWait(random.Next(100_000));

            switch (end)
            {
                case "abort":
                    Parallel.For(0, 3, _ => connection.Abort());
                    break;
                case "dispose":
                    connection.Abort();
                    await Task.WhenAll(Task.Run(() => connection.DisposeAsync().AsTask(), Cancellation), Task.Run(() => connection.DisposeAsync().AsTask(), Cancellation));
                    break;
                case "the peer resets":
                    peer.LingerState = new LingerOption(true, 0);
                    peer.Close();
                    break;
                case "the peer closes":
                    peer.Close();
                    break;
                default:
                    await transport.Transport.DisposeAsync();
                    break;
            }

            await Task.WhenAll(reading, writing, cancelling, closed.Task).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
            peer.Dispose();
            await connection.DisposeAsync();
            Assert.Equal(0, transport.Sum(counters => counters.Open));
        }
    }

    [Fact]
    public async Task Tokens_cancel_reads_and_flushes_from_any_thread_at_any_time()
    {
        await using var pair = await TransportPair.StartAsync(Cancellation);
        await pair.RunAsync(true, async () =>
        {
            var cancelled = 0;
            var random = new Random(1);
            for (var i = 0; i < 2_000; i++)
            {
                using var source = new CancellationTokenSource();
                var read = pair.Input.ReadAsync(source.Token);
                _ = Task.Run(source.Cancel, Cancellation);
                if (random.Next(3) == 0)
                {
                    await pair.Peer.SendAsync("x"u8.ToArray(), Cancellation);
                }

                try
                {
                    var result = await read;
                    pair.Input.AdvanceTo(result.Buffer.End);
                }
                catch (OperationCanceledException)
                {
                    cancelled++;
                }
            }

            Assert.InRange(cancelled, 1, 2_000);
        });
    }

    private static async Task EchoAsync(TransportPair pair, bool onReactor)
    {
        while (true)
        {
            if (!onReactor)
            {
                await Task.Yield();
            }

            var result = await pair.Input.ReadAsync(Cancellation);
            foreach (var piece in result.Buffer)
            {
                pair.Output.Write(piece.Span);
            }

            pair.Input.AdvanceTo(result.Buffer.End);
            while ((await pair.Output.FlushAsync(Cancellation)).IsCanceled)
            {
            }

            if (result.IsCompleted)
            {
                await pair.Output.CompleteAsync();
                return;
            }
        }
    }

    private static async Task ReadAllAsync(ConnectionContext connection, bool hops)
    {
        var input = connection.Transport.Input;
        try
        {
            ReadResult result;
            do
            {
                result = await input.ReadAsync(Cancellation);
                input.AdvanceTo(result.Buffer.End);
                if (hops)
                {
                    await Task.Yield();
                }
            }
            while (!result.IsCompleted);
        }
        catch (Exception ended) when (ended is ConnectionAbortedException or ConnectionResetException or InvalidOperationException)
        {
            // InvalidOperationException: the disposal completed the reader under it.
            return;
        }
    }

    private static async Task WriteAsync(ConnectionContext connection)
    {
        var output = connection.Transport.Output;
        try
        {
            while (!(await output.WriteAsync(new byte[100_000], Cancellation)).IsCompleted)
            {
            }
        }
        catch (InvalidOperationException)
        {
            // The disposal completed the writer under it.
            return;
        }
    }
}
