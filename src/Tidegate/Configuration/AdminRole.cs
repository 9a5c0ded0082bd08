namespace Tidegate.Configuration;

/// <summary>What somebody may do on the admin listener. Each may what those before it may.</summary>
internal enum AdminRole
{
    /// <summary>Sees traffic.</summary>
    Viewer,

    /// <summary>Also sees the configuration and purges the cache.</summary>
    Operator,

    /// <summary>Also sees what everybody did.</summary>
    Admin,
}
