namespace Tidegate.Configuration;

/// <summary>What reading a file gave.</summary>
/// <param name="Config">The bound records; null when the file could not be read or is not a mapping.</param>
/// <param name="Problems">Everything found so far.</param>
/// <param name="Files">Every file that was read, as it was then, for watching.</param>
/// <param name="Positions">Where each record stood.</param>
/// <param name="Environment">The environment that references were resolved in.</param>
internal sealed record LoadedConfiguration(GatewayConfig? Config, IReadOnlyList<ConfigProblem> Problems, IReadOnlyList<FileStamp> Files, ConfigPositions Positions, Func<string, string?> Environment)
{
    /// <summary>Puts references back into a text that may show what they stand for.</summary>
    public required Func<string, string> Mask { get; init; }

    /// <summary>The providers that APIs can refer to.</summary>
    public ProviderPacks Packs { get; init; } = new();

    public bool HasErrors => Problems.Any(problem => problem.Severity == ConfigSeverity.Error);
}
