namespace Tidegate.Policies.Cache;

/// <summary>Counts the requests that are made in the background. Nobody's leaving ends one, so there is a bound on how many there are.</summary>
internal sealed class RefreshPlaces
{
    /// <summary>An upstream that hangs gets no more than this from us. What is stale meanwhile is used as it is, and asked for by a later request.</summary>
    public const int Max = 64;

    private int _taken;

    public int Taken => Volatile.Read(ref _taken);

    /// <summary>Takes a place; false when there is none.</summary>
    public bool TryBegin()
    {
        if (Interlocked.Increment(ref _taken) <= Max)
        {
            return true;
        }

        Interlocked.Decrement(ref _taken);
        return false;
    }

    public void End() => Interlocked.Decrement(ref _taken);
}
