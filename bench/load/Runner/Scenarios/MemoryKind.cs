using System.Globalization;
using Tidegate.Load.Runs;
using Tidegate.Load.Traffic;

namespace Tidegate.Load.Scenarios;

/// <summary>Resident memory: just started, with 1,000 connections that have been served, and after many requests.</summary>
internal sealed class MemoryKind : IScenarioKind
{
    private const int Connections = 1000;

    public ScenarioResult Measure(Lab lab, IReadOnlyList<ScenarioEntry> entries, Action<string> progress)
    {
        var rows = new List<IReadOnlyList<string>>();
        var figures = new Dictionary<string, double>();
        foreach (var entry in entries)
        {
            var peer = lab.Start(entry.Peer, entry.Setup);
            var started = peer.ResidentMegabytes;
            double connected;
            using (lab.Traffic.Idle(peer, Connections))
            {
                connected = peer.ResidentMegabytes;
            }

            var requests = 0L;
            while (requests < lab.Options.MemoryRequests)
            {
                requests += lab.Traffic.Run(peer, new RequestShape("/"), 0, 10).Measurement.Count;
            }

            var after = peer.ResidentMegabytes;
            rows.Add([entry.Peer.Name, Text(started), Text(connected), Text(after)]);
            figures[entry.Peer.Name.Trim('*') + " connected"] = connected;
            figures[entry.Peer.Name.Trim('*') + " after"] = after;
            progress($"{entry.Peer.Name} {started:F0}, {connected:F0}, {after:F0} MB");
            lab.Stop(peer);
        }

        return new ScenarioResult(["proxy", "RSS MB, started", $"with {Connections:N0} connections", $"after {lab.Options.MemoryRequests:N0} requests"], rows, figures);
    }

    private static string Text(double value) => value.ToString("F0", CultureInfo.InvariantCulture);
}
