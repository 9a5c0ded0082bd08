namespace Tidegate.Policies.Capture;

/// <summary>Of which exchanges headers and content are kept.</summary>
internal sealed record CaptureSettings
{
    /// <summary>16 KB: nearly all of what APIs say.</summary>
    public const long DefaultMaxBodyBytes = 16 * 1024;

    /// <summary>16 MB: some thousand exchanges.</summary>
    public const long DefaultMaxBytes = 16 * 1024 * 1024;

    /// <summary>The configuration's.</summary>
    public required long Version { get; init; }

    /// <summary>The share of all, 0 to 1.</summary>
    public double Sample { get; init; }

    /// <summary>Those that failed, or were answered with 500 or more.</summary>
    public bool Errors { get; init; }

    /// <summary>Those that took at least so long; null for none.</summary>
    public TimeSpan? SlowerThan { get; init; }

    /// <summary>Of each message; what follows is cut off.</summary>
    public long MaxBodyBytes { get; init; } = DefaultMaxBodyBytes;

    public required Redaction Redaction { get; init; }
}
