using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge.Multiplexed;

/// <summary>Makes an exchange of every HTTP/2 or HTTP/3 stream that Kestrel hands over: the counterpart of our own HTTP/1.1 connection.</summary>
/// <param name="services">The listener's.</param>
/// <param name="protocol">Which of the two the server speaks that this belongs to.</param>
internal sealed class MultiplexedApplication(EdgeServices services, ProtocolVersion protocol) : IHttpApplication<IFeatureCollection>
{
    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    public async Task ProcessRequestAsync(IFeatureCollection context)
    {
        // Kestrel begins a stream on the thread pool. Where its connection lives are the upstream connections too: from here on a request without content changes threads no more until its answer is
        // written. Waiting for the reactor counts as the gateway's time.
        var received = services.Time.GetTimestamp();
        if (context.Get<Reactor>() is { } reactor)
        {
            await reactor.SwitchAsync();
        }

        var request = context.GetRequiredFeature<IHttpRequestFeature>();
        var extended = context.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } accepted ? accepted : null;
        var settings = services.Settings();
        var client = new MultiplexedResponseWriter(context, protocol, extended, settings.Limits, services.Deadlines);
        var exchange = MultiplexedExchanges.Rent(context.GetRequiredFeature<ClientConnection>(), client);
        exchange.Id = services.Ids.Next();
        exchange.Direction = services.Direction;
        exchange.ClientProtocol = protocol;
        exchange.Aborted = context.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted;
        exchange.Method = request.Method;
        exchange.Connection.HasServed = true;
        exchange.Timings.Received = received;
        if (MultiplexedHead.Read(exchange, request, extended?.Protocol, settings) is { } refusal)
        {
            exchange.Reject(refusal);
        }
        else if (extended is null && !exchange.IsTunnel && context.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != false)
        {
            var body = new MultiplexedRequestBody(context, settings.Limits);
            exchange.RequestBody = body;

            // RFC 9113 8.1.1: a malformed request is not forwarded. To an HTTP/1.1 upstream one without content is whole with its head, so that none comes has to be known before: its end is waited
            // for like the end of a head, and the exchange begins with it.
            if (body.Length == 0)
            {
                if (await body.EndAsync(settings.Limits.BodyGrace, services.Time, exchange.Aborted) is { } broken)
                {
                    exchange.Fail(broken);
                }

                if (context.Get<Reactor>() is { IsCurrent: false } home)
                {
                    await home.SwitchAsync();
                }

                exchange.Timings.Received = services.Time.GetTimestamp();
            }
        }

        await services.Handler(exchange);
        if (exchange.Intercept)
        {
            await services.Intercept(exchange, await client.SwitchProtocolsAsync(200, new HeaderList(), exchange.Aborted), context);
        }
        else if (client.IsComplete && exchange.Failure is null)
        {
            MultiplexedExchanges.Return(exchange);
        }
    }

    public void DisposeContext(IFeatureCollection context, Exception? exception)
    {
        // Everything belongs to Kestrel's stream and goes back with it.
    }
}
