using Tidegate.Exchanges;

namespace Tidegate.Policies.Credential;

/// <summary>Puts the API's own credential onto the request, so that callers never hold it. Inside every retry: each attempt carries it.</summary>
/// <param name="header">The field, for example <c>Authorization</c>; whatever the client sent in it is replaced.</param>
/// <param name="value">The whole value, a secret.</param>
/// <param name="requiresTls">Refuse plain <c>http</c> targets: true for egress APIs without <c>upstream</c>, where the caller's URL decides whether the secret crosses the network in the clear.</param>
internal sealed class CredentialPolicy(string header, string value, bool requiresTls = false) : IPolicy
{
    public string Name => "credential";

    public PolicyStage Stage => PolicyStage.Attempt;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) => throw new NotSupportedException($"{header}{value.Length}{requiresTls}");

    public PolicyExplanation Explain(Exchange exchange) => throw new NotSupportedException();
}
