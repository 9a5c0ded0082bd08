using System.Net;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding;

/// <summary>
/// Sends an exchange's request to an upstream and leaves the answer's head with a body or stream to read, or a failure, on the exchange.
/// Nothing is buffered: content flows in both directions at the pace of the slower side.
/// </summary>
public sealed class Forwarder(TimeProvider time) : IAsyncDisposable
{
    private readonly ConnectionPools _pools = new(time);
    private readonly RoundRobin _roundRobin = new();

    /// <summary>Where the gateway itself listens; connecting there would be a loop and fails with <c>self_connection</c>.</summary>
    public IReadOnlyCollection<IPEndPoint> OwnEndpoints
    {
        get => _pools.OwnEndpoints;
        set => _pools.OwnEndpoints = value;
    }

    private static readonly Rejection AsteriskForm = new("forward", "asterisk_not_forwarded", 501, "OPTIONS * cannot be sent to this upstream. Ask for a path.");

    /// <summary>One attempt. Never throws for expected trouble: that becomes <see cref="Exchange.Failure"/>.</summary>
    public async ValueTask ForwardAsync(Exchange exchange, Upstream upstream)
    {
        if (exchange.Target.Path == "*")
        {
            exchange.Reject(AsteriskForm);
            return;
        }

        // :: Step 1: Where to.
        var destination = Begin(exchange, upstream);
        var attempt = new Attempt(exchange, upstream.Timeouts, time);
        var content = exchange.RequestBody.IsEmpty ? null : new RequestContent(exchange, attempt);
        try
        {
            // :: Step 2: Send, and wait for the final head. Content follows on its own and re-arms the clock as it flows.
            using var request = UpstreamRequest.Create(exchange, upstream, destination, content);
            attempt.Arm(FailureKind.ResponseHeadersTimeout, upstream.Timeouts.Connect + upstream.Timeouts.ResponseHeaders);
            var response = await _pools.For(upstream).SendAsync(request, attempt.Token);
            exchange.Timings.ResponseStarted = time.GetTimestamp();
            exchange.UpstreamProtocol = UpstreamResponse.Protocol(response.Version);
            attempt.Disarm();

            if (UpstreamResponse.HasDoubtfulLength(response) || (response.StatusCode == HttpStatusCode.SwitchingProtocols && exchange.UpgradeProtocol is null))
            {
                response.Dispose();
                throw new HttpRequestException(HttpRequestError.InvalidResponse);
            }

            // :: Step 3: The head onto the exchange; the body is read by whoever writes it to the client.
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
            exchange.Fail(FailureClassifier.Classify(trouble, attempt, exchange));
            await AbandonAsync(attempt, content);
        }
    }

    /// <summary>Opens a TCP connection to the target for a tunnel; leaves it as <see cref="Exchange.UpstreamStream"/>.</summary>
    public async ValueTask ConnectTunnelAsync(Exchange exchange, Upstream upstream)
    {
        var destination = Begin(exchange, upstream);
        using var attempt = new Attempt(exchange, upstream.Timeouts, time);
        try
        {
            var began = time.GetTimestamp();
            attempt.Arm(FailureKind.ConnectTimeout, upstream.Timeouts.Connect);
            exchange.UpstreamStream = await _pools.ConnectAsync(destination.Host, destination.Port, attempt.Token);
            exchange.Timings.Connecting = time.GetTimestamp() - began;
            exchange.Answer(Outcome.Forwarded, 200);
        }
        catch (Exception trouble) when (trouble is OperationCanceledException or IOException)
        {
            exchange.Fail(FailureClassifier.Classify(trouble, attempt, exchange));
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _pools.Dispose();
        return default;
    }

    private Destination Begin(Exchange exchange, Upstream upstream)
    {
        var target = exchange.Target;
        var destination = upstream.Destinations.Count == 0 ? new Destination(target.Scheme, target.Host, target.Port) : _roundRobin.Next(upstream);
        exchange.Attempts++;
        exchange.Destination = destination.ToString();
        if (exchange.Timings.Forwarded == 0)
        {
            exchange.Timings.Forwarded = time.GetTimestamp();
        }

        return destination;
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
