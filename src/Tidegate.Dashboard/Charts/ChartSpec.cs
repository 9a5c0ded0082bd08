using System.Text.Json.Serialization;

namespace Tidegate.Dashboard.Charts;

/// <summary>What the browser draws: data and what it means. How it looks is the script's.</summary>
public sealed record ChartSpec
{
    /// <summary>lines, bars, sankey or heatmap.</summary>
    public required string Kind { get; init; }

    /// <summary>rate, ms, share, count or bytes: how values are written.</summary>
    public string Unit { get; init; } = "count";

    /// <summary>Where the time begins, in milliseconds since 1970.</summary>
    public double From { get; init; }

    /// <summary>Where the time ends.</summary>
    public double To { get; init; }

    /// <summary>The width of a point in milliseconds.</summary>
    public double Step { get; init; }

    /// <summary>Of lines and bars.</summary>
    public IReadOnlyList<ChartSeries> Series { get; init; } = [];

    /// <summary>Of a sankey.</summary>
    public IReadOnlyList<ChartNode> Nodes { get; init; } = [];

    /// <summary>Of a sankey.</summary>
    public IReadOnlyList<ChartLink> Links { get; init; } = [];

    /// <summary>The rows of a heatmap, from below.</summary>
    public IReadOnlyList<string> Rows { get; init; } = [];

    /// <summary>Of a heatmap: column's time, row and value.</summary>
    public IReadOnlyList<double[]> Cells { get; init; } = [];

    /// <summary>Whether times are written as UTC.</summary>
    [JsonPropertyName("utc")]
    public bool IsUtc { get; init; }

    /// <summary>Where the drawing script is.</summary>
    public string ScriptPath { get; init; } = "";
}

/// <summary>One line, or one layer of bars.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Colour">good, warn, bad, refused, cache, or a number of the palette.</param>
/// <param name="Points">Time in milliseconds and value; null is a gap.</param>
/// <param name="IsStacked">On the one before.</param>
/// <param name="IsFilled">Down to the axis.</param>
public sealed record ChartSeries(string Name, string Colour, IReadOnlyList<double?[]> Points, bool IsStacked = false, bool IsFilled = false);

/// <summary>A node of a sankey.</summary>
/// <param name="Id">Unique.</param>
/// <param name="Label">What is written.</param>
/// <param name="Column">From the left.</param>
/// <param name="Colour">As of a series.</param>
/// <param name="Path">Where it leads; empty: nowhere.</param>
public sealed record ChartNode(string Id, string Label, int Column, string Colour, string Path);

/// <summary>A flow of a sankey.</summary>
public sealed record ChartLink(string Source, string Target, long Value, string Colour);
