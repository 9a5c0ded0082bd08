namespace Tidegate.Exchanges;

/// <summary>
/// What routing has found out about one target, kept from its second request on: targets that come again are one object, and most never do. Any two are equal, because it is a cache and no
/// part of what carries it.
/// </summary>
internal struct TargetMemory : IEquatable<TargetMemory>
{
    private volatile object? _found;
    private bool _wasAsked;

    /// <summary>What was kept; null when nothing was.</summary>
    public readonly object? Found => _found;

    /// <summary>Whether it is worth while to keep something: it was asked before.</summary>
    public bool IsAskedAgain()
    {
        var wasAsked = _wasAsked;
        _wasAsked = true;
        return wasAsked;
    }

    /// <summary>Keeps one object that never changes, so that who reads at the same time finds all of it or nothing.</summary>
    public void Keep(object found) => _found = found;

    /// <inheritdoc/>
    public readonly bool Equals(TargetMemory other) => true;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is TargetMemory;

    /// <inheritdoc/>
    public override readonly int GetHashCode() => 0;
}
