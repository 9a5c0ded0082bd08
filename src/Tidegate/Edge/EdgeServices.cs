using Microsoft.AspNetCore.Http.Features;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge;

/// <summary>What all connections of a listener share, whatever they speak.</summary>
/// <param name="Direction">Which rules their requests follow.</param>
/// <param name="Settings">The listener's settings in force; read anew for every request, so that a reload reaches open connections.</param>
/// <param name="Handler">Takes an exchange from its parsed head to its record.</param>
/// <param name="Ids">Numbers exchanges.</param>
/// <param name="Deadlines">For every timeout.</param>
/// <param name="Intercept">Takes over a CONNECT that is to be intercepted.</param>
/// <param name="Drain">Ends connections when the gateway goes away.</param>
internal sealed record EdgeServices(
    Direction Direction,
    Func<ListenerSettings> Settings,
    ExchangeHandler Handler,
    ExchangeId Ids,
    Deadlines Deadlines,
    TunnelInterceptor Intercept,
    DrainSignal Drain)
{
    /// <summary>The clock.</summary>
    public TimeProvider Time => Deadlines.Time;
}

/// <summary>Serves what is inside a tunnel, after its 200 was sent, until the tunnel ends.</summary>
/// <param name="connect">The CONNECT, answered and not yet recorded.</param>
/// <param name="tunnel">The client's bytes.</param>
/// <param name="features">Those of the connection that the tunnel came in on.</param>
internal delegate Task TunnelInterceptor(Exchange connect, Stream tunnel, IFeatureCollection features);
