using Tidegate.Exchanges;
using Tidegate.Forwarding;

namespace Tidegate;

/// <summary>The end of every pipeline: hands the exchange to its upstream, or opens the tunnel that a CONNECT asked for.</summary>
internal sealed class ForwardStep(Forwarder forwarder, Upstream upstream, TunnelMode tunnel)
{
    private static readonly Rejection TunnelRefused = new("routing", "tunnel_refused", 403,
        "This API has rules about requests, and a tunnel would hide them. Turn interception on, call the API's base_path, or set the API's tunnel key.");

    public ValueTask InvokeAsync(Exchange exchange)
    {
        exchange.IdleTimeout = upstream.Timeouts.Idle;
        if (!exchange.IsTunnel)
        {
            exchange.SentAuth = AuthFieldNames.Of(exchange.RequestHeaders);
            return forwarder.ForwardAsync(exchange, upstream);
        }

        switch (tunnel)
        {
            case TunnelMode.Refused:
                exchange.Reject(TunnelRefused);
                return default;
            case TunnelMode.Intercept:
                exchange.Intercept = true;
                exchange.Answer(Outcome.Forwarded, 200);
                return default;
            default:
                exchange.VerifyTunnelName = tunnel == TunnelMode.Verified;
                return forwarder.ConnectTunnelAsync(exchange, upstream);
        }
    }
}
