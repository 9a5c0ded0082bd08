using Tidegate.Exchanges;

namespace Tidegate.Policies;

/// <summary>What one policy would do with one request.</summary>
/// <param name="Summary">One line, for example <c>api_key: consumer billing (tenant acme, environment production)</c>. Never a secret.</param>
/// <param name="Rejection">The refusal that the client would get; null when the exchange would go on.</param>
public sealed record PolicyExplanation(string Summary, Rejection? Rejection = null);
