using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Authentication;

/// <summary>Identifies the consumer by an API key. Part of every plan, because the record names the caller even where no API asks for one.</summary>
internal sealed class AuthenticationPolicy(CredentialIndex credentials, AuthenticationSettings settings) : IPolicy
{
    private readonly byte[] _header = Encoding.Latin1.GetBytes(settings.Header);
    private readonly bool _isAuthorization = settings.Header.Equals("Authorization", StringComparison.OrdinalIgnoreCase);

    public string Name => "authenticate";

    public PolicyStage Stage => PolicyStage.Identify;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (Identify(exchange) is { } refusal)
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

    public PolicyExplanation Explain(Exchange exchange)
    {
        var refusal = Identify(exchange);
        var consumer = exchange.Consumer;
        var who = consumer.IsAnonymous ? "anonymous" : $"consumer {consumer.Name} (tenant {consumer.Tenant}, environment {consumer.Environment})";
        return refusal is null || settings.Mode == PolicyMode.Observe
            ? new PolicyExplanation(refusal is null ? who : $"{who}; observe: would have refused with {refusal.Status} {refusal.Code}")
            : new PolicyExplanation($"refused with {refusal.Status} {refusal.Code}", refusal);
    }

    private Rejection? Identify(Exchange exchange)
    {
        if (exchange.Connection.TunnelConsumer is { IsAnonymous: false } inherited)
        {
            exchange.Consumer = inherited;
            return null;
        }

        var isProxyCall = PresentedKey.TravelsInProxyField(exchange);
        ReadOnlySpan<byte> value;
        var isPresent = isProxyCall
            ? exchange.RequestHeaders.TryGet(KnownHeader.ProxyAuthorization, out value)
            : exchange.RequestHeaders.TryGet(_header, out value);
        var consumer = isPresent ? Find(value, isProxyCall || _isAuthorization) : null;
        if (consumer is not null)
        {
            exchange.Consumer = consumer;
        }

        // A key of ours must not reach the upstream. What is not ours, where the API declares nothing, belongs to the upstream.
        if (isProxyCall)
        {
            exchange.RequestHeaders.Remove(KnownHeader.ProxyAuthorization);
        }
        else if (consumer is not null || settings.Requirement != CredentialRequirement.Undeclared)
        {
            exchange.RequestHeaders.Remove(_header);
        }

        return consumer is not null || settings.Requirement == CredentialRequirement.Undeclared || (!isPresent && settings.Requirement == CredentialRequirement.Optional)
            ? null
            : Refusal(isPresent, isProxyCall);
    }

    private Consumer? Find(ReadOnlySpan<byte> value, bool isCredentialsField)
    {
        if (!isCredentialsField)
        {
            return credentials.Find(value);
        }

        Span<byte> scratch = value.Length <= 512 ? stackalloc byte[512] : new byte[value.Length];
        return credentials.Find(PresentedKey.OfCredentials(value, scratch));
    }

    private Rejection Refusal(bool wasPresent, bool isProxyCall)
    {
        var (code, what) = wasPresent ? ("credential_unknown", "The credential is not known.") : ("credential_missing", "This API needs a credential.");
        return isProxyCall
            ? new Rejection(Name, code, 407, what + " Send your API key as the proxy password: Proxy-Authorization: Basic or Bearer.") { Challenge = "Basic realm=\"Tidegate\"" }
            : new Rejection(Name, code, 401, $"{what} Send your API key in the {settings.Header} field.") { Challenge = _isAuthorization ? "Bearer" : $"ApiKey header=\"{settings.Header}\"" };
    }
}
