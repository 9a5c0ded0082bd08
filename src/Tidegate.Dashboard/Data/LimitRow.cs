using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Data;

/// <summary>A limit in a table.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Text">As it was written.</param>
/// <param name="Used">0 to 1; null where each key has a count of its own.</param>
/// <param name="Room">What is left, in words.</param>
/// <param name="Scope">The endpoint it is written for, or nothing.</param>
public sealed record LimitRow(string Name, string Text, double? Used, string Room, string Scope)
{
    internal static LimitRow Of(LiveLimit limit) => new(
        limit.Name,
        limit.Text,
        limit.Used is { } used ? (double)used / limit.Amount : null,
        limit.Used is { } taken ? $"{Units.Count(Math.Max(0, limit.Amount - taken))} of {Units.Count(limit.Amount)} left" : $"counted for each {limit.Per}",
        limit.Scope == limit.Api ? "" : limit.Scope);
}

/// <summary>A circuit in a list.</summary>
/// <param name="Endpoint">Empty for the API's own.</param>
/// <param name="State">Closed, HalfOpen or Open.</param>
/// <param name="Opened">How often.</param>
public sealed record CircuitRow(string Endpoint, string State, long Opened);

/// <summary>How a destination of several is.</summary>
/// <param name="IsEjected">It is left out now, or would be.</param>
/// <param name="IsObserved">It would be, and has its turns.</param>
/// <param name="Ejected">How often it was, or would have been.</param>
/// <param name="IsOnTrial">One call at a time finds out whether it is back.</param>
public sealed record DestinationState(bool IsEjected, bool IsObserved, long Ejected, bool IsOnTrial = false)
{
    /// <summary>In a word or two.</summary>
    public string Word => !IsEjected ? IsOnTrial && !IsObserved ? "on trial" : "in turn" : IsObserved ? "would be left out" : "left out";

    /// <summary>How often.</summary>
    public string Times => $"{(IsObserved ? "would have been left out" : "left out")} {Ejected} times since the start";
}
