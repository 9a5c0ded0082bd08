namespace Tidegate.Transport;

/// <summary>
/// One timeout that is armed and disarmed again and again, for each phase of a connection's life: an atomic write each time, no timer and
/// no allocation. Made by <see cref="Deadlines.Add"/>.
/// </summary>
/// <remarks>
/// Thread-safe. Expiry is final: the callback ran, or is about to, so <see cref="Set(TimeSpan)"/> and <see cref="Clear"/> return false from then on. Who sees
/// false must take the phase for failed, even if what it waited for has come at the same moment: the callback may be closing the connection.
/// </remarks>
internal sealed class Deadline : IDisposable
{
    private readonly Deadlines _owner;
    private readonly Action<object> _onExpired;
    private readonly object _state;

    internal Deadline(Deadlines owner, DeadlineBlock block, int slot, Action<object> onExpired, object state)
    {
        _owner = owner;
        Block = block;
        Slot = slot;
        _onExpired = onExpired;
        _state = state;
    }

    /// <summary>Whether the time was over while it was armed.</summary>
    public bool IsExpired => Volatile.Read(ref Block.Due[Slot]) == Deadlines.Expired;

    internal DeadlineBlock Block { get; }

    internal int Slot { get; }

    /// <summary>Arms, or arms anew. Reads the clock; where a timestamp is at hand, give it.</summary>
    /// <param name="limit">From now; zero or less is due at once. Never expires early, and late by up to one <see cref="Deadlines.Tick"/>.</param>
    /// <returns>False when it had expired before.</returns>
    public bool Set(TimeSpan limit) => Set(limit, _owner.Time.GetTimestamp());

    /// <summary>Arms, or arms anew.</summary>
    /// <param name="limit">Counted from <paramref name="now"/>.</param>
    /// <param name="now">A timestamp of the clock that the deadlines run on.</param>
    /// <returns>False when it had expired before.</returns>
    public bool Set(TimeSpan limit, long now)
    {
        var due = _owner.After(now, limit);
        if (!Write(due))
        {
            return false;
        }

        _owner.Armed(due);
        return true;
    }

    /// <summary>Disarms.</summary>
    /// <returns>False when it had expired before.</returns>
    public bool Clear() => Write(Deadlines.NotSet);

    /// <summary>Gives the place back. A callback that has already begun may still run to its end.</summary>
    public void Dispose() => _owner.Remove(this);

    internal void Expire() => _onExpired(_state);

    // Two flows of one connection may set it at once, and the sweep may expire it in between: only expiry is final.
    private bool Write(long value)
    {
        ref var due = ref Block.Due[Slot];
        var seen = Volatile.Read(ref due);
        while (seen != Deadlines.Expired)
        {
            if (seen == value)
            {
                return true;
            }

            var found = Interlocked.CompareExchange(ref due, value, seen);
            if (found == seen)
            {
                return true;
            }

            seen = found;
        }

        return false;
    }
}

/// <summary>Places of deadlines, side by side in memory so that the sweep reads them at full speed. Blocks never move.</summary>
internal sealed class DeadlineBlock
{
    // 4 KiB of times: one page.
    public const int Slots = 512;

    public readonly long[] Due = new long[Slots];
    public readonly Deadline?[] Owners = new Deadline?[Slots];

    public DeadlineBlock() => Array.Fill(Due, Deadlines.NotSet);
}
