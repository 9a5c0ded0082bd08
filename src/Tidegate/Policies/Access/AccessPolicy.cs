using System.Collections.Frozen;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Access;

/// <summary>Lets listed consumers use listed methods.</summary>
internal sealed class AccessPolicy : IPolicy
{
    private readonly AccessSettings _settings;
    private readonly FrozenSet<string> _consumers;
    private readonly FrozenSet<string> _methods;
    private readonly ChallengePair _missing;
    private readonly Rejection _consumerNotAllowed;
    private readonly Rejection _methodNotAllowed;

    public AccessPolicy(AccessSettings settings)
    {
        _settings = settings;
        _consumers = settings.Consumers.ToFrozenSet(StringComparer.Ordinal);
        _methods = settings.Methods.ToFrozenSet(StringComparer.Ordinal);

        // Some clients (.NET, Java) send a proxy credential only after they were asked for it, so anonymous callers are asked.
        _missing = Challenge.Pair(Name, "credential_missing", "ApiKey realm=\"tidegate\"", "Only listed consumers may call this API, and the request carries no API key.");
        _consumerNotAllowed = new Rejection(Name, "consumer_not_allowed", 403, "This consumer may not call this API. Ask the gateway's owner to list it under access.consumers.");
        _methodNotAllowed = new Rejection(Name, "method_not_allowed", 405, "This method is not allowed here. The Allow field lists those that are.") { Allow = string.Join(", ", settings.Methods) };
    }

    public string Name => "access";

    public PolicyStage Stage => PolicyStage.Authorize;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) =>
        Refuse(exchange) is { } rejection && _settings.Mode.Refuses(exchange, rejection) ? default : next(exchange);

    public PolicyExplanation Explain(Exchange exchange) => Refuse(exchange) switch
    {
        null => new PolicyExplanation($"{exchange.Consumer.Name} may {exchange.Method}"),
        { } rejection when _settings.Mode == PolicyMode.Observe => new PolicyExplanation($"would have refused with {rejection.Code} (observe)"),
        { } rejection => new PolicyExplanation($"refused with {rejection.Status} {rejection.Code}", rejection),
    };

    private Rejection? Refuse(Exchange exchange)
    {
        if (_consumers.Count > 0 && (exchange.Consumer.IsAnonymous || !_consumers.Contains(exchange.Consumer.Name)))
        {
            return exchange.Consumer.IsAnonymous ? _missing.For(exchange) : _consumerNotAllowed;
        }

        // A tunnel's own method is CONNECT; what is inside is seen only when it is intercepted, and then comes by here again.
        return _methods.Count > 0 && !exchange.IsTunnel && !_methods.Contains(exchange.Method) ? _methodNotAllowed : null;
    }
}
