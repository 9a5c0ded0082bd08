namespace Tidegate.Exchanges;

/// <summary>
/// Points in time of one exchange, as <see cref="TimeProvider.GetTimestamp"/> ticks; 0 means that the exchange did not get there.
/// Durations are made from them when the record is written.
/// </summary>
public struct ExchangeTimings
{
    /// <summary>What is under way, and later than any point in time.</summary>
    internal const long NotYet = long.MaxValue;

    /// <summary>The request head was complete.</summary>
    public long Received;

    /// <summary>The pipeline handed over to the forwarder for the first time: policies end here.</summary>
    public long Forwarded;

    /// <summary>Ticks spent waiting in queues of ours, inside policies.</summary>
    public long Queued;

    /// <summary>Of <see cref="Queued"/> what came before <see cref="Forwarded"/>: later attempts may wait again.</summary>
    public long QueuedBefore;

    /// <summary>Ticks spent on getting an upstream connection: waiting for a place in a full pool, name, TCP, TLS; 0 when an idle one was there.</summary>
    public long Connecting;

    /// <summary>The last of the content was sent, on the last attempt, when that had to be waited for; <see cref="NotYet"/> while it is. 0 when there was none, or all of it left with the head.</summary>
    internal long ContentSent;

    /// <summary>The first byte of the final upstream response head arrived.</summary>
    public long ResponseStarted;

    /// <summary>The last byte was handed to the client's connection, or the exchange broke.</summary>
    public long Ended;
}
