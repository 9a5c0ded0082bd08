using System.Net;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Forwarding;

namespace Tidegate;

/// <summary>Says what the gateway would do with a request, without sending it.</summary>
internal static class Explanation
{
    /// <summary>The exchange that such a request would be.</summary>
    /// <param name="method">For example GET.</param>
    /// <param name="target">What is asked for.</param>
    /// <param name="fields">As <c>Name: value</c>.</param>
    /// <param name="edge">Null: egress when an egress API has the host, else ingress.</param>
    /// <param name="snapshot">What is in force.</param>
    public static Exchange Ask(string method, ExchangeTarget target, IEnumerable<string> fields, Direction? edge, GatewaySnapshot snapshot)
    {
        var direction = edge ?? (snapshot.Routes.Match(Direction.Egress, method, target).Route is not null || snapshot.Routes.Match(Direction.Ingress, method, target).Route is null ? Direction.Egress : Direction.Ingress);
        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = null!,
            Direction = direction,
            Method = method,
            Target = target,
        };
        foreach (var field in fields)
        {
            var colon = field.IndexOf(':');
            exchange.RequestHeaders.Add(colon < 0 ? field : field[..colon], colon < 0 ? "" : field[(colon + 1)..].Trim());
        }

        return exchange;
    }

    /// <summary>One line for each step, in the order in which a request takes them.</summary>
    public static string Write(GatewaySnapshot snapshot, Exchange exchange)
    {
        var text = new StringBuilder();
        text.AppendLine($"direction  {exchange.Direction.ToString().ToLowerInvariant()}");
        text.AppendLine($"target     {exchange.Target.Scheme}://{exchange.Target.Authority}{exchange.Target.PathAndQuery}");
        if (GatewayHandler.Route(exchange, snapshot) is not { } plan)
        {
            return text.AppendLine($"route      {Refusal(exchange.Rejection!)}").ToString();
        }

        text.AppendLine($"api        {(plan.Route.ApiName.Length == 0 ? "(unlisted host)" : plan.Route.ApiName)}");
        text.AppendLine($"route      {(plan.Route.EndpointName.Length == 0 ? "the API as a whole" : "endpoint " + plan.Route.EndpointName)}");
        if (exchange.Direction == Direction.Egress)
        {
            // Where the key is looked for depends on how the call is made: a proxy credential says proxy, else the base URL is the plain way.
            var isProxyCall = plan.Route.BasePath is null || exchange.RequestHeaders.TryGet(KnownHeader.ProxyAuthorization, out _);
            exchange.BasePath = isProxyCall ? null : plan.Route.BasePath;
            text.AppendLine(isProxyCall ? "call       through the proxy" : $"call       by base URL: {plan.Route.BasePath}{exchange.Target.PathAndQuery} on the egress listener; with -H 'Proxy-Authorization: ...' through the proxy");
        }

        foreach (var policy in plan.Pipeline.Policies)
        {
            var explanation = policy.Explain(exchange);
            text.AppendLine($"policy     {policy.Stage.ToString().ToLowerInvariant()} · {policy.Name}: {explanation.Summary}");
            if (explanation.Rejection is { } rejection)
            {
                return text.AppendLine($"answer     {Refusal(rejection)}").ToString();
            }
        }

        var upstream = plan.Upstream;
        var protocol = upstream.Protocol == UpstreamProtocol.Http3 && exchange.UpgradeProtocol is null ? " over HTTP/3" : "";
        text.AppendLine($"upstream   {(upstream.Destinations.Count == 0 ? new Destination(exchange.Target.Scheme, exchange.Target.Host, exchange.Target.Port).ToString() : Destinations(upstream))}{protocol}");
        text.AppendLine($"timeouts   connect {upstream.Timeouts.Connect.TotalSeconds:0.###} s, response headers {upstream.Timeouts.ResponseHeaders.TotalSeconds:0.###} s, idle {upstream.Timeouts.Idle.TotalSeconds:0.###} s, total {(upstream.Timeouts.Total is { } total ? $"{total.TotalSeconds:0.###} s" : "none")}");
        if (exchange.Direction == Direction.Egress && exchange.Target.IsSecure)
        {
            text.AppendLine($"tunnel     a CONNECT to this host is {plan.Tunnel switch { TunnelMode.Intercept => "intercepted", TunnelMode.Refused => "refused: call the API's base_path, or turn interception on", TunnelMode.Any => "carried whatever is inside", _ => "carried when its TLS name is the host: none of the above applies inside" }}");
        }

        return text.ToString();
    }

    private static string Destinations(Upstream upstream) =>
        string.Join(", ", upstream.Destinations.Select((destination, i) => destination + (upstream.Regions.Count > i && upstream.Regions[i].Length > 0 ? $" ({upstream.Regions[i]})" : "")))
        + (upstream.Destinations.Count > 1 ? $"{(upstream.Balance == Balance.Ordered ? ", the first that answers" : ", in turn")}{(upstream.Ejection.IsObserved ? "; one that does not answer would be left out (observe)" : "")}" : "");

    private static string Refusal(Rejection rejection) => $"{rejection.Status} {rejection.Code}: {rejection.Detail}";
}
