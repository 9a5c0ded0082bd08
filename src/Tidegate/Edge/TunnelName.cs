using System.Net;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>Makes sure that a tunnel leads where its CONNECT said: the first bytes must be a TLS ClientHello for that name.</summary>
internal static class TunnelName
{
    private static readonly Failure NotTls = new(FailureSource.Client, FailureKind.TunnelNotTls, Retryable: false, "The tunnel's first bytes are no TLS ClientHello. Set the API's tunnel key to any to allow it.");
    private static readonly Failure Mismatch = new(FailureSource.Client, FailureKind.TunnelNameMismatch, Retryable: false, "The TLS server name is not the host of the CONNECT.");

    // A code of its own: idle_timeout is silence of the upstream too, which is an error of the API.
    private static readonly Failure Silent = new(FailureSource.Client, FailureKind.TunnelSilent, Retryable: false, "The tunnel's ClientHello did not come in time.");

    // What a listener gives a TLS handshake by default (EdgeLimits.HeaderTimeout): a client that asks for a tunnel speaks at once.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(15);

    /// <summary>Reads the ClientHello, judges it and passes it on; what is wrong, or null.</summary>
    public static async ValueTask<Failure?> VerifyAsync(Exchange exchange, Stream client, Stream upstream, TimeProvider time)
    {
        using var patience = new CancellationTokenSource(exchange.IdleTimeout < LongestWait ? exchange.IdleTimeout : LongestWait, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, exchange.Aborted);
        try
        {
            return await VerifyAsync(exchange, client, upstream, either.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !exchange.Aborted.IsCancellationRequested)
        {
            return Silent;
        }
    }

    private static async ValueTask<Failure?> VerifyAsync(Exchange exchange, Stream client, Stream upstream, CancellationToken cancellationToken)
    {
        var buffer = new byte[ClientHello.MaxBytes];
        var received = 0;
        while (true)
        {
            var read = received == buffer.Length ? 0 : await client.ReadAsync(buffer.AsMemory(received), cancellationToken);
            received += read;
            var state = ClientHello.Read(buffer.AsSpan(0, received), out var name);
            if (state == ClientHelloState.NotTls || (state == ClientHelloState.Incomplete && read == 0))
            {
                return NotTls;
            }

            if (state == ClientHelloState.Complete)
            {
                // RFC 6066 3: an address is no server name, so a tunnel to one has none to compare.
                var fits = name is null ? IPAddress.TryParse(exchange.Target.Host, out _) : name == exchange.Target.Host;
                if (!fits)
                {
                    return Mismatch;
                }

                exchange.RequestBodyBytes += received;
                await upstream.WriteAsync(buffer.AsMemory(0, received), cancellationToken);
                return null;
            }
        }
    }
}
