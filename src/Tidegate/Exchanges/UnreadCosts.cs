namespace Tidegate.Exchanges;

/// <summary>Where a cost was to stand and was not found, so that the constant was charged.</summary>
[Flags]
public enum UnreadCosts
{
    /// <summary>Nowhere.</summary>
    None = 0,

    /// <summary>In the request's content: not there, no JSON, or not within what is read of it.</summary>
    Request = 1,

    /// <summary>In the answer's content.</summary>
    Answer = 2,
}
