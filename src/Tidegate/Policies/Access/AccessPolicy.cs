using Tidegate.Exchanges;

namespace Tidegate.Policies.Access;

/// <summary>Lets listed consumers use listed methods.</summary>
internal sealed class AccessPolicy(AccessSettings settings) : IPolicy
{
    private static readonly Rejection ConsumerRefused = new("access", "consumer_not_allowed", 403, "This consumer may not call this API. Ask its owner to list the consumer under access.");
    private static readonly Rejection AnonymousRefused = new("access", "credential_missing", 401, "Only known consumers may call this API. Send your API key.") { Challenge = "ApiKey header=\"X-Api-Key\"" };
    private static readonly Rejection AnonymousProxyRefused = AnonymousRefused with { Status = 407, Challenge = "Basic realm=\"Tidegate\"" };

    private readonly HashSet<string> _consumers = [.. settings.Consumers];
    private readonly string[] _methods = [.. settings.Methods];
    private readonly Rejection _methodRefused = new("access", "method_not_allowed", 405, "This API may be called with " + string.Join(", ", settings.Methods) + " only.") { Allow = string.Join(", ", settings.Methods) };

    public string Name => "access";

    public PolicyStage Stage => PolicyStage.Authorize;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (Decide(exchange) is { } refusal)
        {
            if (settings.Mode == PolicyMode.Enforce)
            {
                exchange.Reject(refusal);
                return default;
            }

            exchange.Observe(Name, refusal);
        }

        return next(exchange);
    }

    public PolicyExplanation Explain(Exchange exchange) => Decide(exchange) switch
    {
        null => new PolicyExplanation("allowed"),
        { } refusal when settings.Mode == PolicyMode.Observe => new PolicyExplanation($"observe: would have refused with {refusal.Status} {refusal.Code}"),
        { } refusal => new PolicyExplanation($"refused with {refusal.Status} {refusal.Code}", refusal),
    };

    private Rejection? Decide(Exchange exchange)
    {
        if (_consumers.Count > 0 && !_consumers.Contains(exchange.Consumer.Name))
        {
            return !exchange.Consumer.IsAnonymous ? ConsumerRefused
                : exchange.Direction == Direction.Egress && exchange.BasePath is null ? AnonymousProxyRefused : AnonymousRefused;
        }

        // The method of a CONNECT says nothing about the methods inside: those are checked where they can be seen.
        return _methods.Length == 0 || exchange.IsTunnel || Array.IndexOf(_methods, exchange.Method) >= 0 ? null : _methodRefused;
    }
}
