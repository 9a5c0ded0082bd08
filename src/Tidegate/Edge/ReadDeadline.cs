using System.IO.Pipelines;
using Tidegate.Transport;

namespace Tidegate.Edge;

/// <summary>
/// Bounds every wait for a client's bytes: the one deadline of a connection, armed for each wait anew. Expiry interrupts the pending read, which comes back cancelled;
/// whoever reads asks then, and treats a cancelled read without an expiry (a drain interrupts too) as one that has brought nothing yet.
/// </summary>
internal sealed class ReadDeadline(PipeReader input, Deadlines deadlines) : IDisposable
{
    private Deadline _deadline = Create(input, deadlines);

    /// <summary>Whether the wait that was begun last took too long.</summary>
    public bool IsExpired => _deadline.IsExpired;

    /// <summary>A wait begins, or goes on with another limit.</summary>
    /// <param name="limit">From now; zero or less is over at once.</param>
    public void Begin(TimeSpan limit) => Begin(limit, deadlines.Time.GetTimestamp());

    /// <summary>The same where the time is known.</summary>
    /// <param name="limit">Counted from <paramref name="now"/>.</param>
    /// <param name="now">A timestamp of the clock.</param>
    public void Begin(TimeSpan limit, long now)
    {
        if (!_deadline.Set(limit, now))
        {
            // Expiry is final, and what comes after it (a reply and the reading away of what was sent) has a limit of its own.
            _deadline.Dispose();
            _deadline = Create(input, deadlines);
            _deadline.Set(limit, now);
        }
    }

    /// <summary>The wait is over.</summary>
    /// <returns>False when it took too long, whatever it has brought.</returns>
    public bool End() => _deadline.Clear();

    public void Dispose() => _deadline.Dispose();

    private static Deadline Create(PipeReader input, Deadlines deadlines) => deadlines.Add(static input => ((PipeReader)input).CancelPendingRead(), input);
}
