using Tidegate.Exchanges;

namespace Tidegate.Policies.Access;

/// <summary>Lets listed consumers use listed methods.</summary>
internal sealed class AccessPolicy(AccessSettings settings) : IPolicy
{
    public string Name => "access";

    public PolicyStage Stage => PolicyStage.Authorize;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) => throw new NotSupportedException($"{settings}");

    public PolicyExplanation Explain(Exchange exchange) => throw new NotSupportedException();
}
