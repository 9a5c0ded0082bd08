namespace Tidegate.Exchanges;

/// <summary>Who is calling: a service or a partner, known by a credential. Absent parts are empty strings, never null.</summary>
/// <param name="Name">The consumer's name in the configuration; <c>anonymous</c> when no credential was presented.</param>
/// <param name="Tenant">The tenant that the consumer's calls are booked on.</param>
/// <param name="Environment">For example <c>production</c> or <c>staging</c>.</param>
public sealed record Consumer(string Name, string Tenant, string Environment)
{
    /// <summary>A caller that presented no credential.</summary>
    public static readonly Consumer Anonymous = new("anonymous", "", "");

    /// <summary>Whether a credential identified the caller.</summary>
    public bool IsAnonymous => ReferenceEquals(this, Anonymous);
}
