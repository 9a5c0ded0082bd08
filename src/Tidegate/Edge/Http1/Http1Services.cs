using Tidegate.Exchanges;

namespace Tidegate.Edge.Http1;

/// <summary>What all HTTP/1.1 connections of a listener share.</summary>
/// <param name="Direction">Which rules their requests follow.</param>
/// <param name="Settings">The listener's settings in force; read anew for every request, so that a reload reaches open connections.</param>
/// <param name="Handler">Takes an exchange from its parsed head to its record.</param>
/// <param name="Ids">Numbers exchanges.</param>
/// <param name="Time">The clock of every timeout.</param>
/// <param name="Intercept">Takes over a CONNECT that is to be intercepted, after its 200 was sent: the exchange and the rest of the connection. Null where nothing can be intercepted.</param>
/// <param name="Drain">Ends connections when the gateway goes away.</param>
internal sealed record Http1Services(
    Direction Direction,
    Func<ListenerSettings> Settings,
    ExchangeHandler Handler,
    ExchangeId Ids,
    TimeProvider Time,
    Func<Exchange, Stream, Task>? Intercept,
    DrainSignal Drain);
