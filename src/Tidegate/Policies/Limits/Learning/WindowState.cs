namespace Tidegate.Policies.Limits.Learning;

/// <summary>What is known of a provider's window now.</summary>
/// <param name="Limit">Of the whole window; -1 where that was not said.</param>
/// <param name="Remaining">What is left of it.</param>
/// <param name="ResetsIn">When it begins anew, or is full again when it refills; <see cref="TimeSpan.Zero"/> when it is full.</param>
/// <param name="Refills">It refills evenly.</param>
internal readonly record struct WindowState(long Limit, long Remaining, TimeSpan ResetsIn, bool Refills);

/// <summary>A window that something is known of.</summary>
/// <param name="Api">Whose provider's.</param>
/// <param name="Name">What it is called.</param>
/// <param name="Field">The field that says what is left.</param>
/// <param name="Of">Which of several counts: the name of a key, a host, a bucket; empty when there is one for all. Never a secret.</param>
/// <param name="State">As it is now.</param>
internal sealed record KnownWindow(string Api, string Name, string Field, string Of, WindowState State)
{
    /// <summary>How much of it is used, 0 to 1; null where nobody said how much there is.</summary>
    public double? Used => State.Limit > 0 ? Math.Clamp(1 - ((double)State.Remaining / State.Limit), 0, 1) : null;
}
