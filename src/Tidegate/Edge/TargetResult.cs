using System.Diagnostics.CodeAnalysis;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>What became of a raw request target: exactly one of the two is set.</summary>
internal readonly record struct TargetResult
{
    private TargetResult(ExchangeTarget? target, Rejection? rejection)
    {
        Target = target;
        Rejection = rejection;
    }

    /// <summary>The canonical target.</summary>
    public ExchangeTarget? Target { get; }

    /// <summary>The 4xx that the client gets.</summary>
    public Rejection? Rejection { get; }

    /// <summary>Whether there is a target.</summary>
    [MemberNotNullWhen(true, nameof(Target))]
    [MemberNotNullWhen(false, nameof(Rejection))]
    public bool IsTarget => Target is not null;

    public static implicit operator TargetResult(ExchangeTarget target) => new(target, null);

    public static implicit operator TargetResult(Rejection rejection) => new(null, rejection);
}
