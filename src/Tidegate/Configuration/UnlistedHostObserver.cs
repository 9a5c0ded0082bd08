using Tidegate.Exchanges;
using Tidegate.Policies;

namespace Tidegate.Configuration;

/// <summary><c>unlisted_hosts: observe</c>: notes that <c>deny</c> would have refused, and lets the exchange pass.</summary>
internal sealed class UnlistedHostObserver : IPolicy
{
    private static readonly Rejection WouldRefuse = new("routing", "host_not_listed", 403, "This host is not listed.");

    public string Name => "unlisted_hosts";

    public PolicyStage Stage => PolicyStage.Authorize;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        exchange.Observe(WouldRefuse.Policy, WouldRefuse);
        return next(exchange);
    }

    public PolicyExplanation Explain(Exchange exchange) => new("unlisted_hosts: observe; would have been refused with 403 host_not_listed");
}
