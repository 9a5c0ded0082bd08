using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Connecting;

/// <summary>Connects to the first of several addresses that answers (RFC 8305): an address family that is broken on the way costs a moment instead of a timeout.</summary>
internal sealed class ConnectionRace(ConnectionSource source, TimeProvider time)
{
    /// <summary>How long an attempt runs alone before the next address is tried beside it: the value that RFC 8305 section 5 recommends.</summary>
    public static readonly TimeSpan Stagger = TimeSpan.FromMilliseconds(250);

    /// <exception cref="SocketException">No address answers; what the last one said.</exception>
    /// <param name="addresses">In the order of preference.</param>
    /// <param name="port">The same for all.</param>
    /// <param name="home">The reactor that the connection shall belong to; null for any.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<ConnectionContext> RunAsync(IReadOnlyList<IPAddress> addresses, int port, Reactor? home, CancellationToken cancellationToken) =>
        addresses.Count == 1 ? await ConnectAsync(addresses[0], port, home, cancellationToken) : await RaceAsync(Interleave(addresses), port, home, cancellationToken);

    /// <summary>RFC 8305 section 4: the families take turns, beginning with that of the preferred address.</summary>
    internal static IReadOnlyList<IPAddress> Interleave(IReadOnlyList<IPAddress> addresses)
    {
        var preferred = new Queue<IPAddress>(addresses.Where(address => address.AddressFamily == addresses[0].AddressFamily));
        var other = new Queue<IPAddress>(addresses.Where(address => address.AddressFamily != addresses[0].AddressFamily));
        var order = new List<IPAddress>(addresses.Count);
        while (preferred.Count > 0 || other.Count > 0)
        {
            if (preferred.TryDequeue(out var next))
            {
                order.Add(next);
            }

            if (other.TryDequeue(out next))
            {
                order.Add(next);
            }
        }

        return order;
    }

    private async ValueTask<ConnectionContext> RaceAsync(IReadOnlyList<IPAddress> order, int port, Reactor? home, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = new List<Task<ConnectionContext>>();
        var next = 0;
        Task? last = null;
        try
        {
            while (next < order.Count || running.Count > 0)
            {
                // In the caller's name: whose token it was decides what the cancellation means.
                cancellationToken.ThrowIfCancellationRequested();
                if (next < order.Count)
                {
                    running.Add(ConnectAsync(order[next++], port, home, over.Token).AsTask());
                }

                if (await FirstAsync(running, next < order.Count, over.Token) is not { } ended)
                {
                    continue;
                }

                running.Remove(ended);
                last = ended;
                if (ended.IsCompletedSuccessfully)
                {
                    return await ended;
                }
            }

            cancellationToken.ThrowIfCancellationRequested();

            // The last address's own error says more than a list of all.
            await last!;
            throw new SocketException((int)SocketError.HostUnreachable);
        }
        finally
        {
            await over.CancelAsync();
            foreach (var loser in running)
            {
                _ = CloseAsync(loser);
            }
        }
    }

    /// <summary>The attempt that ended first; null when the next address's turn came before.</summary>
    private async ValueTask<Task<ConnectionContext>?> FirstAsync(List<Task<ConnectionContext>> running, bool hasNext, CancellationToken cancellationToken)
    {
        var first = Task.WhenAny(running);
        if (hasNext)
        {
            using var answered = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var turn = Task.Delay(Stagger, time, answered.Token);
            if (await Task.WhenAny(first, turn) == turn)
            {
                return null;
            }

            await answered.CancelAsync();
        }

        return await first;
    }

    private async ValueTask<ConnectionContext> ConnectAsync(IPAddress address, int port, Reactor? home, CancellationToken cancellationToken)
    {
        if (home is not null)
        {
            await home.SwitchAsync();
        }

        return await source.Sockets.ConnectAsync(new IPEndPoint(address, port), cancellationToken);
    }

    private static async Task CloseAsync(Task<ConnectionContext> loser)
    {
        try
        {
            await using var late = await loser;
        }
        catch (Exception lost) when (lost is SocketException or IOException or OperationCanceledException)
        {
            // It lost, one way or the other.
            return;
        }
    }
}
