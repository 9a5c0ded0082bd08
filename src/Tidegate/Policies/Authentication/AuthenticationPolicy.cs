using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Authentication;

/// <summary>Identifies the consumer by an API key. Part of every plan, because the record names the caller even where no API asks for one.</summary>
internal sealed class AuthenticationPolicy : IPolicy
{
    private readonly CredentialIndex _credentials;
    private readonly AuthenticationSettings _settings;
    private readonly byte[] _headerName;
    private readonly bool _isBearer;
    private readonly ChallengePair _missing;
    private readonly ChallengePair _unknown;
    private readonly ChallengePair _ambiguous;

    public AuthenticationPolicy(CredentialIndex credentials, AuthenticationSettings settings)
    {
        _credentials = credentials;
        _settings = settings;
        _headerName = Encoding.ASCII.GetBytes(settings.Header);
        _isBearer = KnownHeaders.Identify(_headerName) == KnownHeader.Authorization;
        var scheme = _isBearer ? "Bearer realm=\"tidegate\"" : $"ApiKey realm=\"tidegate\", header=\"{settings.Header}\"";
        _missing = Challenge.Pair(Name, "credential_missing", scheme, $"This API needs an API key, on direct calls in {settings.Header}.");
        _unknown = Challenge.Pair(Name, "credential_unknown", scheme, $"This API key is not known. Check the key, on direct calls in {settings.Header}.");
        _ambiguous = Challenge.Pair(Name, "credential_ambiguous", scheme, "The request carries more than one API key. Send one.");
    }

    public string Name => "authenticate";

    public PolicyStage Stage => PolicyStage.Identify;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        var decision = Decide(exchange);
        Take(exchange, decision);
        exchange.Consumer = decision.Consumer ?? Consumer.Anonymous;
        return decision.Rejection is { } rejection && _settings.Mode.Refuses(exchange, rejection) ? default : next(exchange);
    }

    public PolicyExplanation Explain(Exchange exchange)
    {
        var decision = Decide(exchange);
        exchange.Consumer = decision.Consumer ?? Consumer.Anonymous;
        var who = decision.Consumer is { } consumer ? Describe(consumer) : "no known API key: anonymous";
        return decision.Rejection is not { } rejection ? new PolicyExplanation(who)
            : _settings.Mode == PolicyMode.Observe ? new PolicyExplanation($"{who}; would have refused with {rejection.Code} (observe)")
            : new PolicyExplanation($"refused with {rejection.Status} {rejection.Code}", rejection);
    }

    private static string Describe(Consumer consumer)
    {
        var parts = new List<string>(2);
        if (consumer.Tenant.Length > 0)
        {
            parts.Add("tenant " + consumer.Tenant);
        }

        if (consumer.Environment.Length > 0)
        {
            parts.Add("environment " + consumer.Environment);
        }

        return $"consumer {consumer.Name}" + (parts.Count == 0 ? "" : $" ({string.Join(", ", parts)})");
    }

    private Decision Decide(Exchange exchange)
    {
        // Inside an intercepted tunnel the CONNECT was the place for the credential; the headers belong to the upstream.
        if (exchange.Connection.TunnelTarget is not null)
        {
            var consumer = exchange.Connection.TunnelConsumer is { IsAnonymous: false } known ? known : null;
            return new Decision(consumer, consumer is null ? Refuse(exchange, isPresented: false) : null, IsPresented: false);
        }

        var name = Challenge.IsProxyCall(exchange) ? KnownHeaders.Bytes(KnownHeader.ProxyAuthorization) : _headerName;
        var count = 0;
        ReadOnlySpan<byte> value = default;
        for (var i = 0; i < exchange.RequestHeaders.Count; i++)
        {
            var field = exchange.RequestHeaders[i];
            if (field.Name.Length == name.Length && Ascii.EqualsIgnoreCase(field.Name, name))
            {
                value = field.Value;
                count++;
            }
        }

        // Two values: which one counts would be for the reader to guess, and upstream could guess otherwise.
        if (count > 1)
        {
            return new Decision(null, _settings.Requirement == CredentialRequirement.Undeclared ? null : _ambiguous.For(exchange), IsPresented: true);
        }

        var owner = Find(exchange, value, out var isPresented);
        return new Decision(owner, owner is null ? Refuse(exchange, isPresented) : null, isPresented);
    }

    private Consumer? Find(Exchange exchange, ReadOnlySpan<byte> value, out bool isPresented)
    {
        isPresented = !value.IsEmpty;
        if (!isPresented)
        {
            return null;
        }

        if (Challenge.IsProxyCall(exchange))
        {
            return PresentedKey.FindByScheme(_credentials, value);
        }

        if (!_isBearer)
        {
            return _credentials.Find(value);
        }

        // Another scheme in Authorization is not a key of ours and may be the upstream's.
        isPresented = PresentedKey.TryReadBearer(value, out var key);
        return isPresented ? _credentials.Find(key) : null;
    }

    private Rejection? Refuse(Exchange exchange, bool isPresented) => _settings.Requirement switch
    {
        CredentialRequirement.Undeclared => null,
        CredentialRequirement.Optional => isPresented ? _unknown.For(exchange) : null,
        _ => (isPresented ? _unknown : _missing).For(exchange),
    };

    // A key of ours never goes upstream. A field that nobody declared and that holds no key of ours is the upstream's.
    private void Take(Exchange exchange, Decision decision)
    {
        exchange.RequestHeaders.Remove(KnownHeader.ProxyAuthorization);
        var isOurs = decision.Consumer is not null || _settings.Requirement != CredentialRequirement.Undeclared;
        if (decision.IsPresented && isOurs && !Challenge.IsProxyCall(exchange))
        {
            exchange.RequestHeaders.Remove(_headerName);
        }
    }

    private readonly record struct Decision(Consumer? Consumer, Rejection? Rejection, bool IsPresented);
}
