using System.Net;
using System.Net.Security;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.Http1;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>The framework's client: for HTTP/2, and for everything where our own is switched off.</summary>
internal sealed class SocketsHttpClient(UpstreamConnector connector, TimeProvider time) : IUpstreamClient, IDisposable
{
    private static readonly Rejection AsteriskForm = new("forward", "asterisk_not_forwarded", 501, "OPTIONS * cannot be sent to this upstream. Ask for a path.");

    private readonly HandlerPools _pools = new(connector, time);

    /// <inheritdoc/>
    public ValueTask ForwardAsync(Exchange exchange, Upstream upstream, ConnectionPool pool, long now) => ForwardAsync(exchange, upstream, pool.Destination, null);

    /// <summary>One attempt, on a connection that speaks HTTP/2 already if there is one and the handler has no other.</summary>
    public async ValueTask ForwardAsync(Exchange exchange, Upstream upstream, Destination destination, SslStream? connection)
    {
        if (exchange.Target.Path == "*")
        {
            exchange.Reject(AsteriskForm);
            return;
        }

        var attempt = new Attempt(exchange, upstream.Timeouts, time);
        var content = exchange.RequestBody.IsEmpty ? null : new RequestContent(exchange, attempt, time);
        exchange.Timings.ContentSent = 0;
        await using var connecting = new ConnectionRequest(upstream.RewriteHost ? destination.Host : exchange.Target.Host, connection);
        try
        {
            // :: Step 1: Send, and wait for the final head. Content follows on its own and re-arms the clock as it flows.
            using var request = UpstreamRequest.Create(exchange, upstream, destination, content);
            request.Options.Set(ConnectionRequest.Key, connecting);
            attempt.Arm(FailureKind.ResponseHeadersTimeout, upstream.Timeouts.Connect + upstream.Timeouts.ResponseHeaders);
            var response = await _pools.For(upstream).SendAsync(request, attempt.Token);
            exchange.WasSent = true;
            exchange.Timings.Connecting += connecting.Ticks;
            exchange.Timings.ResponseStarted = time.GetTimestamp();
            exchange.UpstreamProtocol = UpstreamResponse.Protocol(response.Version);
            attempt.Disarm();
            if (UpstreamResponse.HasDoubtfulLength(response) || (response.StatusCode == HttpStatusCode.SwitchingProtocols && exchange.UpgradeProtocol is null))
            {
                response.Dispose();
                throw new HttpRequestException(HttpRequestError.InvalidResponse);
            }

            // :: Step 2: The head onto the exchange; the body is read by whoever writes it to the client.
            UpstreamResponse.CopyHead(response, exchange);
            if (exchange.BasePath is not null)
            {
                LinkRewriter.Rewrite(exchange);
            }

            var stream = await response.Content.ReadAsStreamAsync(attempt.Token);
            if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
            {
                exchange.UpstreamStream = stream;
            }

            exchange.ResponseBody = new ResponseContent(response, stream, response.Content.Headers.ContentLength, attempt, content);
            exchange.Answer(Outcome.Forwarded, (int)response.StatusCode);
        }
        catch (Exception trouble) when (trouble is HttpRequestException or OperationCanceledException or IOException)
        {
            exchange.WasSent |= connecting.IsWritten;
            exchange.Fail(FailureClassifier.Classify(trouble, attempt, exchange));
            await AbandonAsync(attempt, content);
        }
    }

    public void Dispose() => _pools.Dispose();

    private static async ValueTask AbandonAsync(Attempt attempt, RequestContent? content)
    {
        attempt.Cancel();
        if (content is not null)
        {
            await content.Ended;
        }

        attempt.Dispose();
    }
}
