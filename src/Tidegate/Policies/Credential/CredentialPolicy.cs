using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Credential;

/// <summary>Puts the API's own credential onto the request, so that callers never hold it. Inside every retry: each attempt carries it.</summary>
/// <param name="header">The field, for example <c>Authorization</c>; whatever the client sent in it is replaced.</param>
/// <param name="value">The whole value, a secret.</param>
/// <param name="requiresTls">See <see cref="CredentialField"/>.</param>
internal sealed class CredentialPolicy(string header, string value, bool requiresTls = false) : IPolicy
{
    private readonly CredentialField _field = new(header, requiresTls);
    private readonly byte[] _value = Encoding.Latin1.GetBytes(value);

    public string Name => "credential";

    public PolicyStage Stage => PolicyStage.Attempt;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        // Into a tunnel nothing can be put.
        if (exchange.IsTunnel)
        {
            return next(exchange);
        }

        if (_field.Refuses(exchange))
        {
            return default;
        }

        _field.Set(exchange.RequestHeaders, _value);
        return next(exchange);
    }

    public PolicyExplanation Explain(Exchange exchange) => _field.ExplainAbsence(exchange) ?? new PolicyExplanation($"sets {header} (value hidden)");
}
