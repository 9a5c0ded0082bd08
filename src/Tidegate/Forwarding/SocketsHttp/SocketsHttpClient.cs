using System.Net;
using System.Net.Security;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.Http1;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>The framework's client: for HTTP/2 and HTTP/3, and for everything where our own is switched off.</summary>
internal sealed class SocketsHttpClient(UpstreamConnector connector, TimeProvider time) : IUpstreamClient, IDisposable
{
    private static readonly Rejection AsteriskForm = new("forward", "asterisk_not_forwarded", 501, "OPTIONS * cannot be sent to this upstream. Ask for a path.");

    private readonly HandlerPools _pools = new(connector, time);
    private readonly Http3Sender _http3 = new(connector, time);

    /// <summary>HTTP/3 connections are kept in so many places.</summary>
    public int Http3HandlerCount => _http3.HandlerCount;

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
            var response = upstream.Protocol == UpstreamProtocol.Http3 && exchange.UpgradeProtocol is null
                ? await _http3.SendAsync(exchange, upstream, destination, new Http3Call(attempt, connecting, content))
                : await SendAsync(exchange, upstream, destination, attempt, connecting, content);
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

            exchange.ResponseBody = new ResponseContent(response, stream, response.Content.Headers.ContentLength, UpstreamResponse.HasContent(response, exchange), attempt, content);
            exchange.Answer(Outcome.Forwarded, (int)response.StatusCode);
        }
        catch (Exception trouble) when (trouble is HttpRequestException or OperationCanceledException or IOException)
        {
            var failure = FailureClassifier.Classify(trouble, attempt, exchange);
            exchange.WasSent |= connecting.IsWritten && failure != UpstreamFailures.NotProcessed;
            exchange.Fail(failure);
            await AbandonAsync(attempt, content);
        }
    }

    public void Dispose()
    {
        _pools.Dispose();
        _http3.Dispose();
    }

    private async Task<HttpResponseMessage> SendAsync(Exchange exchange, Upstream upstream, Destination destination, Attempt attempt, ConnectionRequest connecting, RequestContent? content)
    {
        using var request = UpstreamRequest.Create(exchange, upstream, destination, content);
        request.Options.Set(ConnectionRequest.Key, connecting);
        attempt.Arm(FailureKind.ResponseHeadersTimeout, upstream.Timeouts.Connect + upstream.Timeouts.ResponseHeaders);
        return await _pools.For(upstream).SendAsync(request, attempt.Token);
    }

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
