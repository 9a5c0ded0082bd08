namespace Tidegate.Exchanges;

/// <summary>Which edge of the organisation an exchange crosses.</summary>
public enum Direction
{
    /// <summary>Our service calls somebody else's API.</summary>
    Egress,

    /// <summary>Somebody else calls an API of ours.</summary>
    Ingress,
}
