using Tidegate.Policies.Limits.Signals;

namespace Tidegate.Policies.Limits.Learning;

/// <summary>How an API follows what its provider says.</summary>
internal sealed record LearningSettings
{
    /// <summary>The provider pack's name; null when there is none.</summary>
    public string? Provider { get; init; }

    public SignalDialect Dialect { get; init; } = SignalDialect.Common;

    /// <summary>Observe: nobody is refused, and the record says who would have been.</summary>
    public PolicyMode Mode { get; init; }

    public WhenExceeded WhenExceeded { get; init; }

    public TimeSpan MaxWait { get; init; }

    /// <summary>Callers bring credentials of their own, and the provider counts each apart.</summary>
    public bool PerCredential { get; init; }

    /// <summary>Each host is another account at the provider.</summary>
    public bool PerHost { get; init; }

    /// <summary>Destinations are several accounts at the provider. Which one an exchange goes to stands on it.</summary>
    public bool PerDestination { get; init; }

    /// <summary>The API wrote no limits, so its provider's hold. What goes through a tunnel cannot be seen, so a tunnel is not held to them.</summary>
    public bool LimitsAreTheProviders { get; init; }

    /// <summary>The provider's own buckets; null when it has one count for all.</summary>
    public BucketRule? Buckets { get; init; }
}

/// <summary>How requests fall into the buckets that a provider names in its answers: a request is counted in the bucket that the last one like it was.</summary>
/// <param name="IsByPath">No answer names a bucket: requests that are alike share one.</param>
/// <param name="PathSegments">Requests are alike when so many segments of the path are.</param>
/// <param name="ByMethod">And the method is.</param>
/// <param name="OwnerSegments">A bucket is another one when so many segments of the path are.</param>
/// <param name="CoolsAlone">A refusal is about the bucket alone, unless the answer says otherwise; else about everything.</param>
internal sealed record BucketRule(bool IsByPath, int PathSegments, bool ByMethod, int OwnerSegments, bool CoolsAlone);
