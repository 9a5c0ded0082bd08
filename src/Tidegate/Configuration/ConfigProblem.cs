namespace Tidegate.Configuration;

/// <summary>How bad a problem is.</summary>
public enum ConfigSeverity
{
    /// <summary>It runs, but probably not as meant.</summary>
    Warning,

    /// <summary>It does not run.</summary>
    Error,
}

/// <summary>Where something stands: file, and line and column from 1.</summary>
public readonly record struct ConfigPosition(string File, long Line, long Column)
{
    /// <inheritdoc/>
    public override string ToString() => $"{File}:{Line}:{Column}";
}

/// <summary>One thing that is wrong with a configuration.</summary>
/// <param name="Position">Where.</param>
/// <param name="Severity">How bad.</param>
/// <param name="Message">What, and what to do. Never contains the value of a secret.</param>
public sealed record ConfigProblem(ConfigPosition Position, ConfigSeverity Severity, string Message)
{
    /// <summary>As <c>check</c> prints it: <c>file:line:column severity: message</c>.</summary>
    public override string ToString() => $"{Position} {(Severity == ConfigSeverity.Error ? "error" : "warning")}: {Message}";
}
