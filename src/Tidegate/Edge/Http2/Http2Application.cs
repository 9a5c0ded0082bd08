using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Http2;

/// <summary>Makes an exchange of every HTTP/2 stream that Kestrel hands over: the counterpart of our own HTTP/1.1 connection.</summary>
internal sealed class Http2Application(EdgeServices services) : IHttpApplication<IFeatureCollection>
{
    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    public async Task ProcessRequestAsync(IFeatureCollection context)
    {
        var request = context.GetRequiredFeature<IHttpRequestFeature>();
        var extended = context.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } accepted ? accepted : null;
        var client = new Http2ResponseWriter(context, extended);
        var exchange = new Exchange
        {
            Id = services.Ids.Next(),
            Connection = context.GetRequiredFeature<ClientConnection>(),
            Client = client,
            Direction = services.Direction,
            ClientProtocol = ProtocolVersion.Http2,
            Aborted = context.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted,
            Method = request.Method,
        };
        exchange.Connection.HasServed = true;
        exchange.Timings.Received = services.Time.GetTimestamp();
        if (Http2Head.Read(exchange, request, extended?.Protocol, services.Settings()) is { } refusal)
        {
            exchange.Reject(refusal);
        }
        else if (extended is null && !exchange.IsTunnel && context.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != false)
        {
            exchange.RequestBody = new Http2RequestBody(context, services.Settings().Limits);
        }

        await services.Handler(exchange);
        if (exchange.Intercept)
        {
            await services.Intercept(exchange, await client.SwitchProtocolsAsync(200, new HeaderList(), exchange.Aborted), context);
        }
    }

    public void DisposeContext(IFeatureCollection context, Exception? exception)
    {
        // Everything belongs to Kestrel's stream and goes back with it.
    }
}
