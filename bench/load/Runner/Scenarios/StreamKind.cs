using System.Globalization;
using Tidegate.Load.Runs;

namespace Tidegate.Load.Scenarios;

/// <summary>Many event streams at once: CPU per event, how long an event is on its way, memory per stream.</summary>
internal sealed class StreamKind : IScenarioKind
{
    public ScenarioResult Measure(Lab lab, IReadOnlyList<ScenarioEntry> entries, Action<string> progress)
    {
        var streams = lab.Options.Streams;
        var rows = new List<IReadOnlyList<string>>();
        foreach (var entry in entries)
        {
            // One after the other: together they would not fit into the descriptors of a usual machine.
            var peer = lab.Start(entry.Peer, entry.Setup);
            var before = peer.ResidentMegabytes;
            var (sample, resident) = lab.Traffic.Streams(peer, streams, lab.Options.Seconds * 2);
            var expected = streams * lab.Options.Seconds * 2;
            rows.Add(
            [
                entry.Peer.Name + (sample.Measurement.Errors > 0 ? $" ({sample.Measurement.Errors} errors)" : ""),
                Text("F1", sample.CpuMicrosecondsPerRequest),
                Text("P0", sample.Measurement.Count / expected),
                $"{Text("F2", sample.Measurement.P50Microseconds / 1000)} / {Text("F2", sample.Measurement.P99Microseconds / 1000)}",
                Text("F0", resident),
                Text("F1", (resident - before) * 1024 / streams),
            ]);
            progress($"{entry.Peer.Name} {sample.CpuMicrosecondsPerRequest:F1} us per event");
            lab.Stop(peer);
        }

        return new ScenarioResult(["proxy", "CPU µs/event", "events arrived", "p50 / p99 ms on its way", $"RSS MB with {streams:N0} streams", "KB per stream"], rows, new Dictionary<string, double>());
    }

    private static string Text(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
}
