namespace Tidegate.Forwarding.Http1;

/// <summary>One pool at one moment, for metrics.</summary>
/// <param name="Destination">Scheme, host and port.</param>
/// <param name="Open">Connections, in use, idle or being opened.</param>
/// <param name="Idle">Connections that wait for an exchange.</param>
/// <param name="Waiting">Exchanges that wait for a connection.</param>
/// <param name="Opened">Connections opened so far.</param>
/// <param name="Discarded">Idle connections that had ended, or said something that nobody had asked for, so far.</param>
/// <param name="Refused">Exchanges that found the queue full, so far.</param>
internal readonly record struct PoolStatistics(string Destination, int Open, int Idle, int Waiting, long Opened, long Discarded, long Refused);
