using System.Collections.Frozen;

namespace Tidegate.Policies.Fallback;

/// <summary>A fixed answer, and what it stands in for.</summary>
internal sealed record FallbackSettings
{
    /// <summary>200: a caller that gets a usable answer goes on as if nothing had happened.</summary>
    public const int DefaultStatus = 200;

    /// <summary>What nearly every API speaks.</summary>
    public const string DefaultContentType = "application/json";

    public int Status { get; init; } = DefaultStatus;

    public string ContentType { get; init; } = DefaultContentType;

    public ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>For no answer, and for 502, 503 and 504: what a circuit breaker counts as failed.</summary>
    public bool OnFailure { get; init; } = true;

    /// <summary>For what an open circuit refuses.</summary>
    public bool OnCircuitOpen { get; init; } = true;

    /// <summary>For what a limit of the gateway refuses.</summary>
    public bool OnLimit { get; init; }

    /// <summary>Further answers of the upstream that it replaces.</summary>
    public FrozenSet<int> Statuses { get; init; } = FrozenSet<int>.Empty;

    /// <summary>Observe: the answer stays what it is, and the record says that this one would have stood in for it.</summary>
    public PolicyMode Mode { get; init; }
}
