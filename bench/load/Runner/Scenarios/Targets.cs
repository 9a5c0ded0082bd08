using System.Globalization;

namespace Tidegate.Load.Scenarios;

/// <summary>What Tidegate has set itself, and whether a run kept it.</summary>
/// <param name="Scenario">Whose figures it is about.</param>
/// <param name="What">In words.</param>
/// <param name="Limit">The target.</param>
/// <param name="Figure">What was measured.</param>
/// <param name="IsFloor">The figure must be at or above the limit, not at or below.</param>
internal sealed record Target(string Scenario, string What, double Limit, Func<IReadOnlyDictionary<string, double>, double> Figure, bool IsFloor = false)
{
    private static readonly IReadOnlyList<Target> All =
    [
        new("plain", "CPU per request, ratio to nginx", 0.90, Cpu("nginx")),
        new("plain", "requests/s, ratio to nginx", 1.2, figures => figures["Tidegate per second"] / figures["nginx per second"], IsFloor: true),
        new("plain", "p99 at half load, ratio to nginx", 1.0, figures => figures["Tidegate p99 at half"] / figures["nginx p99 at half"]),
        new("plain", "requests per CPU second, ratio to bare YARP with inline settings", 2, figures => figures["YARP, inline cpu"] / figures["Tidegate cpu"], IsFloor: true),
        new("key", "CPU per request, ratio to nginx's plain forward", 1.10, Cpu("nginx")),
        new("tls", "CPU per request, ratio to nginx", 1.2, Cpu("nginx")),
        new("body-16k", "CPU per request, ratio to nginx", 1.0, Cpu("nginx")),
        new("cache", "CPU per request, ratio to nginx", 0.55, Cpu("nginx")),
        new("added", "milliseconds added to the 99th percentile", 0.5, figures => figures["Tidegate added p99"]),
        new("memory", "RSS in MB with 1,000 connections", 100, figures => figures["Tidegate connected"]),
        new("memory", "RSS in MB after the requests", 150, figures => figures["Tidegate after"]),
        new("start", "seconds from start to first answer", 1.5, figures => figures["Tidegate ready"]),
        new("start", "CPU per request in the first second, ratio to later", 1.5, figures => figures["Tidegate first second"]),
        new("start", "CPU when idle, percent of a core", 0.5, figures => figures["Tidegate idle"] * 100),
    ];

    /// <summary>The lines for one scenario; none when Tidegate or its counterpart was not measured.</summary>
    public static IEnumerable<string> Lines(string scenario, IReadOnlyDictionary<string, double> figures)
    {
        foreach (var target in All.Where(target => target.Scenario == scenario))
        {
            double measured;
            try
            {
                measured = target.Figure(figures);
            }
            catch (KeyNotFoundException)
            {
                // The counterpart is not installed, or not part of the quick mode.
                continue;
            }

            var isMet = target.IsFloor ? measured >= target.Limit : measured <= target.Limit;
            yield return string.Create(CultureInfo.InvariantCulture, $"- {(isMet ? "met" : "**missed**")}: {target.What}: {measured:F2}, target {(target.IsFloor ? "at least" : "at most")} {target.Limit:0.##}");
        }
    }

    private static Func<IReadOnlyDictionary<string, double>, double> Cpu(string other) => figures => figures["Tidegate cpu"] / figures[other + " cpu"];
}
