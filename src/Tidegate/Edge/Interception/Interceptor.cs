using System.Net.Security;
using System.Security.Authentication;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Interception;

/// <summary>Ends a tunnel's TLS with a certificate of our CA and serves the requests inside.</summary>
internal sealed class Interceptor(Func<LeafCertificates?> leaves, Func<ConnectionContext, ClientConnection, bool, Task> serve, IExchangeRecorder recorder, EdgeLimits limits, TimeProvider time)
{
    private static readonly Failure NameMismatch = new(FailureSource.Client, FailureKind.TunnelNameMismatch, Retryable: false, "The TLS server name is not the host of the CONNECT.");
    private static readonly Failure HandshakeFailed = new(FailureSource.Client, FailureKind.InterceptionHandshakeFailed, Retryable: false, "The TLS handshake inside the tunnel failed. Does the client trust the gateway's CA? See: tidegate ca trust");

    // Most clients judge a certificate only when the handshake is over, so this is how a missing trust shows here.
    private static readonly Failure NoRequest = HandshakeFailed with { Detail = "The client closed the tunnel before its first request. Does it trust the gateway's CA? See: tidegate ca trust" };

    /// <summary>Serves the inside of a tunnel until it ends. What fails before a request was read is the CONNECT's own failure and is recorded.</summary>
    public async Task RunAsync(Exchange connect, Stream tunnel, IFeatureCollection features)
    {
        var nameFits = true;
        await using var inside = new SslStream(tunnel, leaveInnerStreamOpen: false);
        // A source's own timer may be late for its disposal; a callback of ours that cancels it would end the process then.
        using var over = new CancellationTokenSource(limits.HeaderTimeout, time);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(connect.Aborted, over.Token);
        string? serverName = null;
        try
        {
            await inside.AuthenticateAsServerAsync(
                (_, hello, _, _) =>
                {
                    serverName = string.IsNullOrEmpty(hello.ServerName) ? null : hello.ServerName.ToLowerInvariant();
                    nameFits = serverName is null || serverName == connect.Target.Host;
                    return nameFits && leaves() is { } signer
                        ? new ValueTask<SslServerAuthenticationOptions>(Options(signer.For(connect.Target.Host)))
                        : throw new AuthenticationException("No certificate for this name.");
                },
                null,
                patience.Token);
        }
        catch (Exception refused) when (refused is AuthenticationException or IOException or OperationCanceledException or ConnectionAbortedException or InvalidOperationException)
        {
            Record(connect, nameFits ? HandshakeFailed : NameMismatch);
            return;
        }

        over.CancelAfter(Timeout.InfiniteTimeSpan);
        var connection = new InterceptedConnection(connect, inside, features);
        var client = Client(connect, serverName);
        await serve(connection, client, inside.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2);
        if (!client.HasServed)
        {
            Record(connect, NoRequest);
        }

        try
        {
            await connection.Output.CompleteAsync();
            await connection.Input.CompleteAsync();
            await inside.ShutdownAsync();
        }
        catch (Exception gone) when (gone is IOException or InvalidOperationException or ConnectionAbortedException or ObjectDisposedException)
        {
            // The client closed first; the close_notify that we owe it has nobody to go to.
            connect.Client.Abort();
        }
    }

    private void Record(Exchange connect, Failure failure)
    {
        connect.Fail(failure);
        connect.Timings.Ended = time.GetTimestamp();
        recorder.Record(connect);
    }

    private static SslServerAuthenticationOptions Options(SslStreamCertificateContext certificate) => new()
    {
        ServerCertificateContext = certificate,
        ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        AllowRenegotiation = false,
    };

    private static ClientConnection Client(Exchange connect, string? serverName) => new()
    {
        PeerAddress = connect.Connection.PeerAddress,
        PeerPort = connect.Connection.PeerPort,
        LocalEndPoint = connect.Connection.LocalEndPoint,
        IsSecure = true,
        ServerName = serverName,
        TunnelTarget = connect.Target,
        TunnelConsumer = connect.Consumer,
    };
}
