using Tidegate.Control;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Data;

/// <summary>A destination that the configuration names, as it is now.</summary>
/// <param name="Name">As scheme, host and port.</param>
/// <param name="Region">Where it is; empty when nobody said so.</param>
/// <param name="IsEjected">It is left out now, or would be.</param>
/// <param name="IsObserved">It would be, and has its turns.</param>
/// <param name="Word">In a word or two; empty when there is no other to take its turn.</param>
/// <param name="Since">Since when it is left out.</param>
/// <param name="Until">Until when.</param>
/// <param name="FailuresInRow">Attempts that failed there since one was answered.</param>
/// <param name="Attempts">What became of attempts there since the start, and how often it was left out; empty when there was none.</param>
/// <param name="IsOnTrial">One call at a time finds out whether it is back.</param>
public sealed record DestinationState(string Name, string Region, bool IsEjected, bool IsObserved, string Word, DateTimeOffset? Since, DateTimeOffset? Until, int FailuresInRow, string Attempts, bool IsOnTrial = false)
{
    internal static DestinationState Of(string name, string region, bool isAlone, DestinationView? known, long timestamp, DateTimeOffset now)
    {
        if (isAlone || known is null)
        {
            return new(name, region, false, false, isAlone ? "" : "in turn", null, null, 0, "");
        }

        var health = known.Health;
        var asked = TimeSpan.FromSeconds(known.AskedSeconds);
        var (past, left) = !known.IsEjected ? default((TimeSpan?, TimeSpan?)) : health.EjectedFor(timestamp) is { } span ? (span.Past, span.Left > asked ? span.Left : asked) : (null, asked);
        var isOnTrial = known is { IsOnTrial: true, IsEjected: false, IsObserved: false };
        var word = !known.IsEjected ? isOnTrial ? "on trial" : "in turn" : known.IsObserved ? "would be left out" : "left out";
        var leftOut = health.Ejected + health.SetAside;
        var attempts = health.Bad == 0 ? "" : $"{Units.Count(health.Bad)} of {Units.Count(health.Good + health.Bad)} attempts failed since the start";
        var times = leftOut == 0 ? "" : $", {(known.IsObserved ? "would have been left out" : "left out")} {(leftOut == 1 ? "once" : $"{Units.Count(leftOut)} times")}";
        return new(name, region, known.IsEjected, known.IsObserved, word, now - past, now + left, health.FailuresInRow, attempts + times, isOnTrial);
    }
}
