namespace Tidegate.Exchanges;

/// <summary>What a policy in observe mode would have done.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Code">The rejection's code.</param>
public readonly record struct PolicyDecision(string Policy, string Code);
