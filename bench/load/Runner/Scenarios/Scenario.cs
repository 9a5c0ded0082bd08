using Tidegate.Load.Peers;
using Tidegate.Load.Runs;

namespace Tidegate.Load.Scenarios;

/// <summary>One table of the page.</summary>
/// <param name="Name">As the command line names it.</param>
/// <param name="Title">The table's heading.</param>
/// <param name="Entries">Its rows.</param>
/// <param name="Kind">How it is measured.</param>
internal sealed record Scenario(string Name, string Title, IReadOnlyList<ScenarioEntry> Entries, IScenarioKind Kind)
{
    /// <summary>Part of the quick mode.</summary>
    public bool IsQuick { get; init; }

    /// <summary>What it changes of how everything is measured.</summary>
    public Func<LoadOptions, LoadOptions> Adapt { get; init; } = static options => options;

    /// <summary>The rows that can be measured here; what is missing is said loudly.</summary>
    public IReadOnlyList<ScenarioEntry> Available(LoadOptions options, List<string> notes)
    {
        var available = new List<ScenarioEntry>();
        foreach (var entry in Entries.Where(entry => entry.Peer.Can(entry.Setup) && (!options.IsQuick || entry.IsQuick)))
        {
            if (entry.Peer.Version() is null)
            {
                notes.Add($"{entry.Peer.Name} is missing and left out ({entry.Peer.Package}).");
            }
            else
            {
                available.Add(entry);
            }
        }

        return available;
    }
}

/// <summary>A proxy as one scenario sets it up.</summary>
internal sealed record ScenarioEntry(Peer Peer, PeerSetup Setup)
{
    public bool IsQuick { get; init; }
}

/// <summary>A way to measure.</summary>
internal interface IScenarioKind
{
    ScenarioResult Measure(Lab lab, IReadOnlyList<ScenarioEntry> entries, Action<string> progress);
}

/// <summary>A table, and the figures that targets are about.</summary>
/// <param name="Columns">The header.</param>
/// <param name="Rows">One for each proxy.</param>
/// <param name="Figures">By name.</param>
internal sealed record ScenarioResult(IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows, IReadOnlyDictionary<string, double> Figures);
