using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>Ten thousand clients that say nothing. In the collection of those that need the process for themselves, because it measures memory.</summary>
[Collection(nameof(TransportLoadTests))]
public sealed partial class IdleConnectionTests
{
    private const int Wanted = 10_000;

    // Both ends are in this process; the rest is what a test process has open otherwise.
    private const int Reserve = 500;

    // The connection, its reader and writer, the waiting read of who serves it; no buffer.
    private const int MaxBytesEach = 2_000;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connections_that_wait_hold_no_buffer()
    {
        var count = Math.Min(Wanted, (RaiseDescriptorLimit((2 * Wanted) + Reserve) - Reserve) / 2);
        await using var transport = await TestTransport.StartAsync(2, Cancellation);
        var clients = new int[count];
        var connections = new ConnectionContext[count];
        var reads = new Task[count];
        await ConnectAsync(transport, clients, connections, reads, 0, 100);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var clock = Stopwatch.StartNew();

        await ConnectAsync(transport, clients, connections, reads, 100, count);

        var elapsed = clock.Elapsed;
        var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / (count - 100);
        TestContext.Current.TestOutputHelper?.WriteLine($"{count} connections in {elapsed.TotalMilliseconds:0} ms, {each} bytes of managed memory each");
        Assert.InRange(each, 1, MaxBytesEach);
        foreach (var client in clients)
        {
            Assert.Equal(0, Libc.Close(client));
        }

        await Task.WhenAll(reads).WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.Equal(0, transport.Sum(counters => counters.Open));
    }

    private static async Task ConnectAsync(TestTransport transport, int[] clients, ConnectionContext[] connections, Task[] reads, int from, int to)
    {
        for (var i = from; i < to; i++)
        {
            clients[i] = Connect(transport);
            connections[i] = await transport.AcceptAsync(Cancellation);
            reads[i] = ServeAsync(connections[i]);
        }
    }

    private static async Task ServeAsync(ConnectionContext connection)
    {
        await connection.Features.Get<Reactor>()!.SwitchAsync();
        var result = await connection.Transport.Input.ReadAsync(CancellationToken.None);
        Assert.True(result.IsCompleted);
        await connection.DisposeAsync();
    }

    private static unsafe int Connect(TestTransport transport)
    {
        var address = stackalloc byte[SocketAddressBytes.MaxLength];
        var length = SocketAddressBytes.Write(transport.EndPoint, new Span<byte>(address, SocketAddressBytes.MaxLength));
        var client = Libc.Socket(Libc.AddressFamilyIPv4);
        Assert.True(client >= 0 && Libc.Connect(client, address, length) is 0 or -Errno.InProgress);
        return client;
    }

    /// <summary>Raises the limit of open files where that is allowed; what it is then.</summary>
    private static unsafe int RaiseDescriptorLimit(int wanted)
    {
        const int OpenFiles = 7;
        var limit = stackalloc ulong[2];
        Assert.Equal(0, getrlimit(OpenFiles, limit));
        if (limit[0] < (ulong)wanted)
        {
            var raised = stackalloc ulong[2] { (ulong)wanted, Math.Max(limit[1], (ulong)wanted) };
            if (setrlimit(OpenFiles, raised) != 0)
            {
                raised[0] = raised[1] = limit[1];
                Assert.Equal(0, setrlimit(OpenFiles, raised));
            }

            Assert.Equal(0, getrlimit(OpenFiles, limit));
        }

        return (int)Math.Min(limit[0], int.MaxValue);
    }

    [LibraryImport("libc")]
    private static unsafe partial int getrlimit(int resource, ulong* limit);

    [LibraryImport("libc")]
    private static unsafe partial int setrlimit(int resource, ulong* limit);
}
