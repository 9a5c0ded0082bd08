using System.Reflection;

namespace Tidegate.Configuration.Comparison;

internal enum DifferenceKind
{
    Added,
    Removed,
    Changed,
}

/// <summary>One key whose value differs between two configurations.</summary>
/// <param name="Path">Where, for example <c>apis[stripe].access.methods</c>.</param>
/// <param name="Kind">Added and Removed are for mappings and items of lists.</param>
/// <param name="Text">What differs, as it is shown: no secret is in it.</param>
internal sealed record ConfigDifference(string Path, DifferenceKind Kind, string Text)
{
    /// <summary>The record that has the key, in the old and the new configuration.</summary>
    public required (object Old, object New) Owners { get; init; }

    /// <summary>The key's property in its owner.</summary>
    public required PropertyInfo Property { get; init; }

    /// <summary>The values, or the items of a list; null where there is none.</summary>
    public required (object? Old, object? New) Values { get; init; }

    /// <summary>What it means for calls, as sentences; empty where the difference says it all.</summary>
    public IReadOnlyList<string> Consequences { get; init; } = [];

    /// <summary>Whether a running gateway takes it over only at its next start.</summary>
    public bool NeedsRestart { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Kind switch { DifferenceKind.Added => '+', DifferenceKind.Removed => '-', _ => '~' }} {Path}: {Text}";
}
