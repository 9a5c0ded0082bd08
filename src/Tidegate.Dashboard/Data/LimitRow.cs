using Tidegate.Control.Live;
using Tidegate.Dashboard.Views;
using Tidegate.Policies.Limits.Learning;

namespace Tidegate.Dashboard.Data;

/// <summary>A limit in a table, a count of one of those that it tells apart, or a window of the provider's.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Text">As it was written; of a window how much it is.</param>
/// <param name="Used">0 to 1; null where that is not known.</param>
/// <param name="Room">What is left, in words.</param>
/// <param name="Scope">The endpoint it is written for, or nothing; of a window who says so, and which of several it is.</param>
/// <param name="IsPart">It is a count of the limit in the row before.</param>
/// <param name="Waits">Exchanges may wait for it.</param>
public sealed record LimitRow(string Name, string Text, double? Used, string Room, string Scope, bool IsPart = false, bool Waits = true)
{
    /// <summary>A limit, and the fullest counts of those that it tells apart.</summary>
    internal static IEnumerable<LimitRow> Of(LimitNow limit) =>
    [
        new(
            limit.Name,
            limit.Text,
            limit.Used is { } used ? (double)used / limit.Amount : null,
            limit.Used is { } taken ? Left(limit.Amount, taken) : $"counted for each {limit.Per}{(limit.Fullest.Count > 0 ? "; the fullest:" : "")}",
            limit.Scope == limit.Api ? "" : limit.Scope),
        .. limit.Fullest.Select(key => new LimitRow(key.Of, "", key.Share, Left(key.Amount, key.Used), "", IsPart: true)),
    ];

    /// <summary>A window that the provider tells of.</summary>
    internal static LimitRow Of(KnownWindow window) => new(
        window.Name,
        window.State.Limit > 0 ? Units.Count(window.State.Limit) : "",
        window.Used,
        $"{Units.Count(window.State.Remaining)}{(window.State.Limit > 0 ? $" of {Units.Count(window.State.Limit)}" : "")} left{(window.State.ResetsIn > TimeSpan.Zero ? ", " + Again(window.State) : "")}",
        $"its provider's{(window.Of.Length > 0 ? $" ({window.Of})" : "")}, says {window.Field}",
        Waits: false);

    /// <summary>When there is more.</summary>
    internal static string Again(WindowState state) => (state.Refills ? "full again in " : "anew in ") + Units.Duration(state.ResetsIn);

    private static string Left(long amount, long used) => $"{Units.Count(Math.Max(0, amount - used))} of {Units.Count(amount)} left";
}

/// <summary>A circuit in a list.</summary>
/// <param name="Endpoint">Empty for the API's own.</param>
/// <param name="State">Closed, HalfOpen or Open.</param>
/// <param name="Opened">How often.</param>
public sealed record CircuitRow(string Endpoint, string State, long Opened);
