namespace Tidegate.Transport;

/// <summary>Watches how long a reactor's turns take: while one lasts, every other connection of that reactor waits.</summary>
internal sealed class TurnWatch(int reactor, ReactorCounters counters, Action<string> log, TimeProvider time)
{
    // What a client notices on top of its own round trip.
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(20);

    // Above what compiling a cold path takes, so that a start is no news.
    private static readonly TimeSpan WorthALine = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(10);

    private long _began;
    private long _lastLine;
    private long _reported;

    /// <summary>On the reactor, before a turn's work.</summary>
    public void Begin() => Volatile.Write(ref _began, time.GetTimestamp());

    /// <summary>On the reactor, after it.</summary>
    public void End()
    {
        var began = _began;
        var elapsed = time.GetElapsedTime(began);
        Volatile.Write(ref _began, 0);
        if (elapsed >= Long)
        {
            counters.LongTurns++;
            if (elapsed >= WorthALine)
            {
                Report($"Reactor {reactor} was busy for {elapsed.TotalMilliseconds:0} ms in one turn: something on it blocks or computes. Its connections waited.");
            }
        }
    }

    /// <summary>On any thread, now and then: a turn that never ends can only be seen from outside.</summary>
    public void Check()
    {
        var began = Volatile.Read(ref _began);
        if (began != 0 && began != Volatile.Read(ref _reported) && time.GetElapsedTime(began) is var elapsed && elapsed >= LineInterval)
        {
            Volatile.Write(ref _reported, began);
            log($"Reactor {reactor} is stuck: its turn has lasted for {elapsed.TotalSeconds:0} s. Something on it blocks.");
        }
    }

    private void Report(string line)
    {
        if (_lastLine == 0 || time.GetElapsedTime(_lastLine) >= LineInterval)
        {
            _lastLine = time.GetTimestamp();
            log(line);
        }
    }
}
