namespace Tidegate.Policies;

/// <summary>
/// The fixed order of policies. Consumer-side limits come before the cache; credentials and the provider's own limits sit inside
/// resilience, so that every retry spends the provider's allowance and a cache hit spends none.
/// </summary>
public enum PolicyStage
{
    /// <summary>Who is calling.</summary>
    Identify,

    /// <summary>May they do this.</summary>
    Authorize,

    /// <summary>What is answered when there is no answer, whichever of the following has none.</summary>
    Fallback,

    /// <summary>Is there room for them now.</summary>
    Admit,

    /// <summary>Is the answer known already.</summary>
    Cache,

    /// <summary>What is changed in request and response.</summary>
    Transform,

    /// <summary>Retries, breakers, failover.</summary>
    Resilience,

    /// <summary>Once per attempt: provider quota, credential, signing.</summary>
    Attempt,
}
