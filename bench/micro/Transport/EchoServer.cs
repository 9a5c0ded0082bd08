using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Tidegate.Transport;

namespace Tidegate.Benchmarks.Transport;

/// <summary>
/// 200 bytes for every request head, with nothing above the transport but a search for the empty line: what a transport costs. Every request to <c>/stats</c> gives what
/// the process has used and done so far.
/// </summary>
internal static class EchoServer
{
    private static readonly byte[] Answer = [.. "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"u8, .. Enumerable.Repeat((byte)'x', 200)];

    private static long _requests;

    /// <summary>Serves until the process is ended.</summary>
    /// <param name="transport"><c>reactors</c> or <c>sockets</c>.</param>
    /// <param name="port">On loopback.</param>
    /// <param name="upstream">Another such server's port: every request is asked there first, over a connection of its own. 0 for none.</param>
    public static async Task RunAsync(string transport, int port, int upstream)
    {
        await using var reactors = transport == "reactors" ? ReactorTransport.Create(Environment.ProcessorCount, TimeProvider.System, Console.Error.WriteLine) : null;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Run(connection => ServeAsync(connection, reactors, upstream))));
        if (reactors is not null)
        {
            builder.Services.AddSingleton<IConnectionListenerFactory>(reactors);
        }

        await builder.Build().RunAsync();
    }

    private static async Task ServeAsync(ConnectionContext connection, ReactorTransport? reactors, int upstream)
    {
        if (connection.Features.Get<Reactor>() is { } reactor)
        {
            await reactor.SwitchAsync();
        }

        var (input, output) = (connection.Transport.Input, connection.Transport.Output);
        await using var asked = upstream == 0 ? null : await reactors!.ConnectAsync(new IPEndPoint(IPAddress.Loopback, upstream));
        while (true)
        {
            var result = await input.ReadAsync();
            var buffer = result.Buffer;
            while (TryTakeHead(ref buffer, out var wantsStats))
            {
                Interlocked.Increment(ref _requests);
                if (wantsStats)
                {
                    WriteStats(output, reactors);
                }
                else if (asked is not null)
                {
                    await AskAsync(asked, output);
                }
                else
                {
                    output.Write(Answer);
                }
            }

            input.AdvanceTo(buffer.Start, buffer.End);
            await output.FlushAsync();
            if (result.IsCompleted)
            {
                return;
            }
        }
    }

    private static async ValueTask AskAsync(ConnectionContext asked, PipeWriter output)
    {
        await asked.Transport.Output.WriteAsync("GET / HTTP/1.1\r\nHost: upstream\r\n\r\n"u8.ToArray());
        for (var left = Answer.Length; left > 0;)
        {
            var result = await asked.Transport.Input.ReadAsync();
            foreach (var piece in result.Buffer)
            {
                output.Write(piece.Span);
            }

            left -= (int)result.Buffer.Length;
            asked.Transport.Input.AdvanceTo(result.Buffer.End);
        }
    }

    private static bool TryTakeHead(ref ReadOnlySequence<byte> buffer, out bool wantsStats)
    {
        var reader = new SequenceReader<byte>(buffer);
        wantsStats = reader.IsNext("GET /stats"u8);
        if (!reader.TryReadTo(out ReadOnlySequence<byte> _, "\r\n\r\n"u8))
        {
            return false;
        }

        buffer = buffer.Slice(reader.Position);
        return true;
    }

    private static void WriteStats(PipeWriter output, ReactorTransport? reactors)
    {
        var cpu = Environment.CpuUsage;
        var line = string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Read(ref _requests)} {cpu.TotalTime.TotalMicroseconds:0} {cpu.UserTime.TotalMicroseconds:0} {Sum(static c => c.Receives)} {Sum(static c => c.ReceivesInVain)} {Sum(static c => c.Sends)} {Sum(static c => c.SendsInVain)} {Sum(static c => c.Turns)} {Sum(static c => c.Events)}\n");
        output.Write(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Length: {line.Length}\r\n\r\n{line}")));

        long Sum(Func<ReactorCounters, long> counter) => reactors?.Reactors.Sum(reactor => counter(reactor.Counters)) ?? 0;
    }
}
