namespace Tidegate.Policies;

/// <summary>Whether a policy's refusals count.</summary>
public enum PolicyMode
{
    /// <summary>A refusal is a refusal.</summary>
    Enforce,

    /// <summary>A refusal is recorded as "would have", and the exchange passes.</summary>
    Observe,
}
