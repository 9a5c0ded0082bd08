using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits.Learning;

/// <summary>What people are told of which of a provider's counts it is: what records have of its exchanges, never what a caller sent to say who it is.</summary>
internal static class ScopeLabel
{
    public static string Of(LearningSettings settings, Exchange? exchange, bool isBucket)
    {
        var parts = new List<string>();
        if (settings.PerCredential && exchange is not null)
        {
            parts.Add(exchange.ProviderKey is { } key ? "key " + key.Name : exchange.Consumer.Name == Consumer.Anonymous.Name ? "a caller's key" : "a key of " + exchange.Consumer.Name);
        }

        if (exchange is { DestinationAccount.Length: > 0 })
        {
            parts.Add(exchange.DestinationAccount);
        }

        if (settings.PerHost && exchange is not null)
        {
            parts.Add(exchange.Target.Host);
        }

        if (isBucket)
        {
            parts.Add("a bucket" + (exchange is null || exchange.EndpointName.Length == 0 ? "" : " of " + exchange.EndpointName));
        }

        return string.Join(", ", parts);
    }
}
