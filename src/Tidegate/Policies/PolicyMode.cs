using Tidegate.Exchanges;

namespace Tidegate.Policies;

/// <summary>Whether a policy's refusals count.</summary>
public enum PolicyMode
{
    /// <summary>A refusal is a refusal.</summary>
    Enforce,

    /// <summary>A refusal is recorded as "would have", and the exchange passes.</summary>
    Observe,
}

/// <summary>What a mode makes of a refusal.</summary>
internal static class PolicyModeRefusal
{
    /// <summary>Refuses an exchange, or notes that it would have been.</summary>
    /// <returns>Whether it is refused; else it passes.</returns>
    public static bool Refuses(this PolicyMode mode, Exchange exchange, Rejection rejection)
    {
        if (mode == PolicyMode.Enforce)
        {
            exchange.Reject(rejection);
            return true;
        }

        exchange.Observe(rejection.Policy, rejection);
        return false;
    }
}
