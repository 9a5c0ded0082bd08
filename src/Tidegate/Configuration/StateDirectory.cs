namespace Tidegate.Configuration;

/// <summary>The one directory that the gateway writes to.</summary>
internal static class StateDirectory
{
    /// <summary>What the file says; else what systemd gave; else <c>.tidegate</c> beside the file (or in the working directory without one).</summary>
    public static string Of(GatewayConfig config, string? file, Func<string, string?> environment) =>
        config.StateDirectory
        ?? environment("STATE_DIRECTORY")?.Split(':')[0]
        ?? Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file ?? "x"))!, ".tidegate");
}
