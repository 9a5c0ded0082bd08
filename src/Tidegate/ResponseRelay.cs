using System.Buffers;
using System.Runtime.CompilerServices;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate;

/// <summary>Writes an exchange's answer to its client: streamed content, upgrades, tunnels, problems.</summary>
internal sealed class ResponseRelay(GatewayResponder responder, TimeProvider time) : IResponseRelay
{
    private static readonly Failure ClientGone = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away before the answer was complete.");

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask RelayAsync(Exchange exchange)
    {
        if (exchange.Outcome is Outcome.Rejected or Outcome.Failed)
        {
            await RelayFailureAsync(exchange);
            return;
        }

        if (exchange.Intercept)
        {
            return;
        }

        try
        {
            if (exchange.UpstreamStream is { } upstream)
            {
                await using (upstream)
                {
                    await SwitchAsync(exchange, upstream);
                }
            }
            else
            {
                await StreamAsync(exchange);
            }
        }
        catch (MessageBodyException broken)
        {
            exchange.Fail(broken.Failure);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or Microsoft.AspNetCore.Connections.ConnectionAbortedException)
        {
            exchange.Fail(ClientGone);
        }
        finally
        {
            await exchange.ResponseBody.DisposeAsync();
        }

        if (exchange.Outcome == Outcome.Failed)
        {
            await RelayFailureAsync(exchange);
        }
    }

    /// <inheritdoc/>
    public async ValueTask RelayFailureAsync(Exchange exchange)
    {
        if (exchange.Client.HasStarted || exchange.Failure?.Kind == FailureKind.ClientAborted)
        {
            // Part of an answer is out: only an abnormal end tells the client that the rest is missing.
            exchange.Client.Abort();
            return;
        }

        try
        {
            await responder.WriteProblemAsync(exchange);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or Microsoft.AspNetCore.Connections.ConnectionAbortedException)
        {
            exchange.Client.Abort();
        }
    }

    // A body is handed on in pieces of at most this size, as many as it takes: large enough that a send is worth its system call.
    private const int PieceBytes = 16 * 1024;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private static async ValueTask StreamAsync(Exchange exchange)
    {
        var client = exchange.Client;
        var body = exchange.ResponseBody;
        AlternativeService.Apply(exchange, exchange.ResponseHeaders);
        var hasContent = exchange.Method != "HEAD" && exchange.ResponseStatus is not (204 or 304) && !body.IsEmpty;
        if (hasContent && body is { Length: not null, HasBytes: false })
        {
            // The head of an answer whose length is known leaves with its first bytes. Until they are there an upstream that breaks is a problem that can be told.
            await StartWithContentAsync(exchange);
        }
        else
        {
            client.Start(exchange.ResponseStatus, exchange.ResponseHeaders, body.Length);
        }

        if (hasContent)
        {
            // A stream's first event may be minutes away: its head leaves now.
            if (body.Length is null)
            {
                await client.FlushAsync(exchange.Aborted);
            }

            var hint = (int)Math.Min(body.Length ?? PieceBytes, PieceBytes);
            while (await body.ReadAsync(client.GetMemory(hint), exchange.Aborted) is > 0 and var read)
            {
                client.Advance(read);
                exchange.ResponseBodyBytes += read;
                if (exchange.ResponseBodyBytes != body.Length)
                {
                    await client.FlushAsync(exchange.Aborted);
                }
            }
        }

        await client.CompleteAsync(body.Trailers, exchange.Aborted);
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private static async ValueTask StartWithContentAsync(Exchange exchange)
    {
        var (client, body) = (exchange.Client, exchange.ResponseBody);
        var first = ArrayPool<byte>.Shared.Rent((int)Math.Min(body.Length ?? PieceBytes, PieceBytes));
        try
        {
            var read = await body.ReadAsync(first, exchange.Aborted);
            client.Start(exchange.ResponseStatus, exchange.ResponseHeaders, body.Length);
            for (var written = 0; written < read;)
            {
                var memory = client.GetMemory(read - written);
                var part = Math.Min(memory.Length, read - written);
                first.AsSpan(written, part).CopyTo(memory.Span);
                client.Advance(part);
                written += part;
            }

            exchange.ResponseBodyBytes += read;
            if (exchange.ResponseBodyBytes != body.Length)
            {
                await client.FlushAsync(exchange.Aborted);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(first);
        }
    }

    private async ValueTask SwitchAsync(Exchange exchange, Stream upstream)
    {
        if (exchange.UpgradeProtocol is { } protocol && !exchange.IsTunnel)
        {
            exchange.ResponseHeaders.Set(KnownHeader.Upgrade, protocol);
        }

        await using var client = await exchange.Client.SwitchProtocolsAsync(exchange.ResponseStatus, exchange.ResponseHeaders, exchange.Aborted);
        if (exchange.VerifyTunnelName && await TunnelName.VerifyAsync(exchange, client, upstream, time) is { } refusal)
        {
            exchange.Fail(refusal);
            return;
        }

        try
        {
            await StreamPump.RunAsync(exchange, client, upstream, time);
        }
        catch (IOException over) when (exchange.IsTunnel && over is not MessageBodyException { Failure.Code: "idle_timeout" })
        {
            // What a tunnel carries ends when either side leaves, however abruptly: curl, for one, closes without reading what TLS still had to say.
            return;
        }
    }
}
