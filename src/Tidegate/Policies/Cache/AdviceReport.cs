using System.Globalization;

namespace Tidegate.Policies.Cache;

/// <summary>What was measured on one endpoint, and what it speaks for.</summary>
/// <param name="Api">The API.</param>
/// <param name="Endpoint">The endpoint; empty for the API's own.</param>
/// <param name="Observed">How long.</param>
/// <param name="Calls">GETs in that time.</param>
/// <param name="Unshared">Those whose answers no rule may store.</param>
/// <param name="Sampled">Those that were played through.</param>
/// <param name="Currency">Of what calls cost; empty where no price is known.</param>
/// <param name="Tallies">One for each of <see cref="CacheAdvice.Lifetimes"/>.</param>
internal sealed record AdviceReport(string Api, string Endpoint, TimeSpan Observed, long Calls, long Unshared, long Sampled, string Currency, AdviceTally[] Tallies)
{
    // Fewer say nothing.
    private const int MinSampled = 100;

    // A lifetime is only judged by what was seen of several of it.
    private const int MinLifetimes = 3;

    // Below it, a cache costs more than it brings.
    private const double MinHitRatio = 0.05;

    // One in a hundred that would have been older than what the upstream had. How many there were stands beside the rule.
    private const double MaxUntrueRatio = 0.01;

    public double HitRatio(int index) => Sampled == 0 ? 0 : (double)Tallies[index].Hits / Sampled;

    /// <summary>The rule to write, as YAML, and why it or none.</summary>
    public (string? Rule, string Reason) Propose()
    {
        if (Sampled < MinSampled)
        {
            return (null, Invariant($"{Sampled} calls were played through; {MinSampled} are needed to say something."));
        }

        var best = 0;
        for (var i = 1; i < Tallies.Length; i++)
        {
            // Longer must bring something, and have been seen long enough.
            if (CacheAdvice.Lifetimes[i] * MinLifetimes <= Observed && IsTrue(i) && HitRatio(i) > HitRatio(best) + 0.01)
            {
                best = i;
            }
        }

        if (best == 0 && (HitRatio(0) < MinHitRatio || !IsTrue(0)))
        {
            return (null, HitRatio(0) >= MinHitRatio
                ? Invariant($"What the answers say of themselves would have brought {HitRatio(0):P0} hits, and {Tallies[0].Untrue} of them something that was no longer true.")
                : Invariant($"No lifetime that was seen long enough would have brought {MinHitRatio:P0} hits without using what is no longer true."));
        }

        return best == 0
            ? ("cache: { mode: standard }", Invariant($"What the answers say of themselves would have brought {HitRatio(0):P0} hits, {Tallies[0].Untrue} of them no longer true.{Saved(0)}"))
            : HitRatio(best) < MinHitRatio
                ? (null, Invariant($"The best lifetime, {Text(CacheAdvice.Lifetimes[best])}, would have brought {HitRatio(best):P0} hits."))
                : (Invariant($"cache: {{ mode: standard, ttl: {{ success: {Text(CacheAdvice.Lifetimes[best])} }}, override: true }}"),
                    Invariant($"{Text(CacheAdvice.Lifetimes[best])} would have brought {HitRatio(best):P0} hits, {Tallies[best].Untrue} of them no longer true; what the answers say of themselves {HitRatio(0):P0}.{Saved(best)} Leave override out where the answers say nothing."));
    }

    /// <summary>As the configuration has it.</summary>
    public static string Text(TimeSpan lifetime) =>
        lifetime == TimeSpan.Zero ? "own" : lifetime.TotalSeconds < 60 ? Invariant($"{lifetime.TotalSeconds}s") : lifetime.TotalMinutes < 60 ? Invariant($"{lifetime.TotalMinutes}m") : Invariant($"{lifetime.TotalHours}h");

    private string Saved(int index) =>
        Currency.Length == 0 ? "" : Invariant($" Of what the calls that were played through cost, it would have saved {(Tallies[index].UnknownCosts > 0 ? "at least " : "")}{Tallies[index].Cost:0.############} {Currency}.");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private bool IsTrue(int index) => Tallies[index].Untrue <= Tallies[index].Hits * MaxUntrueRatio;
}
