using Tidegate.Exchanges;

namespace Tidegate.Policies;

/// <summary>A route's policies in stage order, chained once when the configuration is compiled.</summary>
public sealed class PolicyPipeline
{
    private readonly ExchangeHandler _first;

    /// <summary>Chains policies by stage; within a stage the given order stays.</summary>
    /// <param name="policies">In any order.</param>
    /// <param name="forward">What comes after the last policy.</param>
    public PolicyPipeline(IEnumerable<IPolicy> policies, ExchangeHandler forward)
    {
        Policies = [.. policies.OrderBy(policy => policy.Stage)];
        var next = forward;
        for (var i = Policies.Count - 1; i >= 0; i--)
        {
            var policy = Policies[i];
            var inner = next;
            next = exchange => policy.InvokeAsync(exchange, inner);
        }

        _first = next;
    }

    /// <summary>In the order in which they run.</summary>
    public IReadOnlyList<IPolicy> Policies { get; }

    /// <summary>Runs the exchange through every policy and the forwarder.</summary>
    public ValueTask InvokeAsync(Exchange exchange) => _first(exchange);
}
