namespace Tidegate.Transport;

/// <summary>What one reactor has done since it began. Written by its thread alone; other threads read slightly old values.</summary>
internal sealed class ReactorCounters
{
    /// <summary>epoll_wait calls, one a turn.</summary>
    public long Turns;

    /// <summary>Readiness events.</summary>
    public long Events;

    /// <summary>Wake-ups by posts from other threads.</summary>
    public long WakeUps;

    /// <summary>recv calls, and how many of them found nothing.</summary>
    public long Receives;

    public long ReceivesInVain;

    /// <summary>send and sendmsg calls, and how many of them found the socket full.</summary>
    public long Sends;

    public long SendsInVain;

    public long Accepted;

    public long Connected;

    /// <summary>Connections open now, both kinds.</summary>
    public long Open;

    /// <summary>Times that accepting paused because the process or the system was out of descriptors or memory.</summary>
    public long AcceptPauses;

    /// <summary>Times that code was made to wait for the next turn because it had used up its share of this one.</summary>
    public long Yields;

    /// <summary>Turns that were long; see <see cref="TurnWatch"/>.</summary>
    public long LongTurns;

    /// <summary>Connections that were reset because their last bytes could not be sent within the limit after they were disposed.</summary>
    public long UnsentAtClose;

    /// <summary>Callbacks that threw.</summary>
    public long FailedCallbacks;
}
