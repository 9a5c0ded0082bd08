namespace Tidegate.Host.Commands;

/// <summary>What the process tells its supervisor.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The configuration has errors.</summary>
    public const int Configuration = 1;
}
