using Tidegate.Exchanges;

namespace Tidegate.Policies;

/// <summary>
/// One layer of the onion around the forwarder. A policy either calls <c>next</c>, or leaves a rejection on the exchange and
/// returns. After <c>next</c> the answer's head is on the exchange and its body has not been read yet.
/// </summary>
/// <remarks>Instances are shared by all exchanges of a route: everything that belongs to one exchange lives on the exchange.</remarks>
public interface IPolicy
{
    /// <summary>The policy's name in configuration, records and <c>explain</c>.</summary>
    string Name { get; }

    /// <summary>Where in the fixed order it runs, whatever order the user wrote.</summary>
    PolicyStage Stage { get; }

    /// <summary>Does its work around the rest of the path.</summary>
    ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next);

    /// <summary>Says offline what it would do with this exchange, without side effects. A refusal ends the explanation's happy path.</summary>
    PolicyExplanation Explain(Exchange exchange);
}
