namespace Tidegate.Exchanges;

/// <summary>What a policy in observe mode would have done.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Code">The rejection's code, or what it would have done else: <c>served_from_fallback</c>, <c>key_passed_over</c>, <c>key_set_aside</c>, <c>destination_ejected</c>, <c>destination_passed_over</c>.</param>
public readonly record struct PolicyDecision(string Policy, string Code);
