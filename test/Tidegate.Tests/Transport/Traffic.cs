using System.Buffers;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;

namespace Tidegate.Tests.Transport;

/// <summary>Bytes that know their place, in pieces of random size, both ways at once.</summary>
internal static class Traffic
{
    // No multiple of any block's size, so that a piece that is lost, doubled or moved does not fit.
    private const int Period = 1_000_003;

    private static readonly byte[] Pattern = CreatePattern();

    /// <summary>Sends back what comes, in pieces of random size, until the peer ends; then closes. What it does between awaits runs on the connection's reactor.</summary>
    public static async Task EchoAsync(ConnectionContext connection, CancellationToken cancellationToken)
    {
        await using (connection)
        {
            await connection.Features.Get<Reactor>()!.SwitchAsync();
            var random = new Random(connection.ConnectionId.Length);
            var (input, output) = (connection.Transport.Input, connection.Transport.Output);
            while (true)
            {
                var result = await input.ReadAsync(cancellationToken);
                if (result.Buffer.IsEmpty && result.IsCompleted)
                {
                    return;
                }

                // Not always all: what stays must come again.
                var taken = result.Buffer.Slice(0, random.Next(4) == 0 ? random.NextInt64(1, result.Buffer.Length + 1) : result.Buffer.Length);
                foreach (var piece in taken)
                {
                    if (random.Next(2) == 0)
                    {
                        await output.WriteAsync(piece, cancellationToken);
                    }
                    else
                    {
                        output.Write(piece.Span);
                    }
                }

                input.AdvanceTo(taken.End);
                await output.FlushAsync(cancellationToken);
            }
        }
    }

    /// <summary>Sends so many bytes of the pattern and checks that they all come back; ends its sending and waits for the peer's end.</summary>
    public static async Task SendAndCompareAsync(Socket socket, long bytes, int seed, CancellationToken cancellationToken)
    {
        var receiving = Task.Run(() => ReceiveAndCompareAsync(socket, bytes, seed + 1, cancellationToken), cancellationToken);
        await SendAsync(socket, bytes, seed, cancellationToken);
        socket.Shutdown(SocketShutdown.Send);
        await receiving;
    }

    public static async Task SendAsync(Socket socket, long bytes, int seed, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        for (long sent = 0; sent < bytes;)
        {
            var length = (int)Math.Min(random.Next(8) == 0 ? random.Next(1, 200) : random.Next(1, 200_000), bytes - sent);
            sent += await socket.SendAsync(At(sent, length), cancellationToken);
        }
    }

    public static async Task ReceiveAndCompareAsync(Socket socket, long bytes, int seed, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        var buffer = new byte[200_000];
        long received = 0;
        while (await socket.ReceiveAsync(buffer.AsMemory(0, random.Next(8) == 0 ? random.Next(1, 200) : random.Next(1, 200_000)), cancellationToken) is > 0 and var count)
        {
            Compare(received, buffer.AsSpan(0, count));
            received += count;
            if (random.Next(1000) == 0)
            {
                // A reader that dawdles: the other side must wait and must not forget.
                await Task.Delay(1, cancellationToken);
            }
        }

        if (received != bytes)
        {
            throw new InvalidDataException($"{received} of {bytes} bytes came.");
        }
    }

    /// <summary>The pattern from a place on; up to 200,000 bytes.</summary>
    public static ReadOnlyMemory<byte> At(long place, int length) => Pattern.AsMemory((int)(place % Period), length);

    public static void Compare(long place, ReadOnlySpan<byte> found)
    {
        if (!found.SequenceEqual(At(place, found.Length).Span))
        {
            throw new InvalidDataException($"The bytes from {place} on are not those that were sent.");
        }
    }

    private static byte[] CreatePattern()
    {
        var pattern = new byte[Period + 200_000];
        new Random(7).NextBytes(pattern.AsSpan(0, Period));
        pattern.AsSpan(0, 200_000).CopyTo(pattern.AsSpan(Period));
        return pattern;
    }
}
