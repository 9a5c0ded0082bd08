namespace Tidegate.Policies.Credential;

/// <summary>Several keys of one provider, and how one is chosen.</summary>
internal sealed record KeyPoolSettings
{
    /// <summary>A minute: a revoked key costs few calls, and one that is taken again is missed only briefly.</summary>
    public static readonly TimeSpan DefaultSetAside = TimeSpan.FromMinutes(1);

    /// <summary>32: those that refused an exchange are bits.</summary>
    public const int MaxKeys = 32;

    /// <summary>Enough for any proportion that somebody means.</summary>
    public const int MaxWeight = 100;

    public required IReadOnlyList<PooledKey> Keys { get; init; }

    public KeyChoice Choice { get; init; }

    /// <summary>How long a key that is not accepted is left alone the first time; twice that the second, up to sixteen times.</summary>
    public TimeSpan SetAside { get; init; } = DefaultSetAside;

    /// <summary>Observe: keys are sent by turn (the first, where they are ordered) whatever is known of them, and the record says when another would have been.</summary>
    public PolicyMode Mode { get; init; }
}

/// <summary>One of several keys.</summary>
/// <param name="Value">The field's whole value, a secret.</param>
/// <param name="Weight">Its part of the turns.</param>
/// <param name="Health">What is known of it.</param>
internal sealed record PooledKey(byte[] Value, int Weight, KeyHealth Health);

/// <summary>How one of several keys is chosen.</summary>
internal enum KeyChoice
{
    /// <summary>Each in turn, by weight.</summary>
    RoundRobin,

    /// <summary>The first that is taken, in the order in which they are written.</summary>
    Ordered,
}
