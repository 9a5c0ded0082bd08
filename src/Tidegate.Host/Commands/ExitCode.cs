namespace Tidegate.Host.Commands;

/// <summary>What the process tells its supervisor.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The configuration has errors.</summary>
    public const int Configuration = 1;

    /// <summary><c>diff</c>: both files are good and they differ.</summary>
    public const int Differences = 2;

    /// <summary>An address is in use or not ours.</summary>
    public const int CannotListen = 3;
}
