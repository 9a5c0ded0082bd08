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
