using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>Alone in the process, because they count its descriptors. <c>TIDEGATE_LONG_TESTS=1</c> makes them ten times as long.</summary>
[CollectionDefinition(nameof(TransportLoadTests), DisableParallelization = true)]
[Collection(nameof(TransportLoadTests))]
public sealed class TransportLoadTests
{
    private static readonly int Length = Environment.GetEnvironmentVariable("TIDEGATE_LONG_TESTS") == "1" ? 10 : 1;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_gigabyte_goes_through_one_connection_and_back_under_back_pressure()
    {
        var bytes = Length * (1L << 30);
        await using var transport = await TestTransport.StartAsync(1, Cancellation);
        using var socket = await transport.ConnectAsync(Cancellation);
        var echo = Task.Run(async () => await Traffic.EchoAsync(await transport.AcceptAsync(Cancellation), Cancellation), Cancellation);
        await Traffic.SendAndCompareAsync(socket, bytes, seed: 1, Cancellation);
        await echo;
        TestContext.Current.TestOutputHelper?.WriteLine($"{transport.Sum(counters => counters.Receives)} receives, {transport.Sum(counters => counters.ReceivesInVain)} in vain, {transport.Sum(counters => counters.Sends)} sends, {transport.Sum(counters => counters.SendsInVain)} in vain, {transport.Sum(counters => counters.Yields)} yields");
    }

    [Fact]
    public async Task Thousands_of_connections_that_end_in_every_way_leave_no_descriptor()
    {
        await using var transport = await TestTransport.StartAsync(2, Cancellation);
        var serving = Task.Run(async () =>
        {
            var open = new List<Task>();
            while (await transport.Listener.AcceptAsync(Cancellation) is { } connection)
            {
                open.Add(Task.Run(() => ServeAsync(connection), Cancellation));
            }

            await Task.WhenAll(open);
        }, Cancellation);
        await CycleAsync(transport, 200);
        var before = Descriptors();

        await CycleAsync(transport, Length * 5_000);

        await SettleAsync(transport);

        // Somebody else in the process may hold a file open for a moment; what leaks stays.
        await Eventually.HoldsAsync(() => Descriptors() <= before, "More descriptors are open than before.", Cancellation);
        await transport.Listener.UnbindAsync(Cancellation);
        await serving;
    }

    /// <summary>A server that answers, aborts, throws its input away, or leaves at once, by what it is told.</summary>
    private static async Task ServeAsync(ConnectionContext connection)
    {
        try
        {
            await using (connection)
            {
                var (input, output) = (connection.Transport.Input, connection.Transport.Output);
                var result = await input.ReadAsync(Cancellation);
                var command = result.Buffer.IsEmpty ? (byte)'-' : result.Buffer.FirstSpan[0];
                input.AdvanceTo(result.Buffer.End);
                switch ((char)command)
                {
                    case 'a':
                        connection.Abort();
                        break;
                    case 'w':
                        while (!(await output.WriteAsync(new byte[50_000], Cancellation)).IsCompleted)
                        {
                        }

                        break;
                    case 'r':
                        while (!(result = await input.ReadAsync(Cancellation)).IsCompleted)
                        {
                            input.AdvanceTo(result.Buffer.End);
                        }

                        break;
                    case 'e':
                        await output.WriteAsync("x"u8.ToArray(), Cancellation);
                        break;
                }
            }
        }
        catch (Exception gone) when (gone is ConnectionResetException or ConnectionAbortedException)
        {
            // The client's way to go was to reset.
            return;
        }
    }

    private static async Task CycleAsync(TestTransport transport, int cycles)
    {
        var next = cycles;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            while (Interlocked.Decrement(ref next) >= 0)
            {
                using var socket = await transport.ConnectAsync(Cancellation);
                if (random.Next(10) > 0)
                {
                    await socket.SendAsync(new[] { (byte)"awre?"[random.Next(5)] }, Cancellation);
                }

                if (random.Next(3) == 0)
                {
                    await Task.Yield();
                }

                if (random.Next(2) == 0)
                {
                    socket.LingerState = new LingerOption(true, 0);
                }
            }
        })));
    }

    private static async Task SettleAsync(TestTransport transport)
    {
        await Eventually.HoldsAsync(() => transport.Sum(counters => counters.Open) == 0, "Connections are still open.", Cancellation);
    }

    private static int Descriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Length;
}
