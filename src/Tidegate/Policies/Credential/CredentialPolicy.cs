using Tidegate.Exchanges;

namespace Tidegate.Policies.Credential;

/// <summary>Puts the API's own credential onto the request, so that callers never hold it. Inside every retry: each attempt carries it.</summary>
/// <param name="header">The field, for example <c>Authorization</c>; whatever the client sent in it is replaced.</param>
/// <param name="value">The whole value, a secret.</param>
/// <param name="requiresTls">Refuse plain <c>http</c> targets: true for egress APIs without <c>upstream</c>, where the caller's URL decides whether the secret crosses the network in the clear.</param>
internal sealed class CredentialPolicy(string header, string value, bool requiresTls = false) : IPolicy
{
    private static readonly Rejection NeedsTls = new("credential", "credential_needs_tls", 403, "The gateway holds this API's credential and sends it over TLS only. Call the https URL.");

    public string Name => "credential";

    public PolicyStage Stage => PolicyStage.Attempt;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (Decide(exchange) is { } refusal)
        {
            exchange.Reject(refusal);
            return default;
        }

        if (!exchange.IsTunnel)
        {
            exchange.RequestHeaders.Set(header, value);
        }

        return next(exchange);
    }

    public PolicyExplanation Explain(Exchange exchange) => Decide(exchange) is { } refusal
        ? new PolicyExplanation($"refused with {refusal.Status} {refusal.Code}", refusal)
        : new PolicyExplanation(exchange.IsTunnel ? "a tunnel carries no credential of ours" : $"sets {header}");

    private Rejection? Decide(Exchange exchange) => requiresTls && !exchange.IsTunnel && !exchange.Target.IsSecure ? NeedsTls : null;
}
