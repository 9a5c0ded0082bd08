using Tidegate.Exchanges;

namespace Tidegate.Policies.Authentication;

/// <summary>Identifies the consumer by an API key. Part of every plan, because the record names the caller even where no API asks for one.</summary>
internal sealed class AuthenticationPolicy(CredentialIndex credentials, AuthenticationSettings settings) : IPolicy
{
    public string Name => "authenticate";

    public PolicyStage Stage => PolicyStage.Identify;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) => throw new NotSupportedException($"{credentials}{settings}");

    public PolicyExplanation Explain(Exchange exchange) => throw new NotSupportedException();
}
