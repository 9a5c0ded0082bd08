using System.Globalization;
using Tidegate.Load.Runs;

namespace Tidegate.Load.Scenarios;

/// <summary>Connections that wait: what each of them keeps in memory, and what all of them cost in CPU while nothing happens.</summary>
internal sealed class IdleKind : IScenarioKind
{
    public ScenarioResult Measure(Lab lab, IReadOnlyList<ScenarioEntry> entries, Action<string> progress)
    {
        var connections = lab.Options.IdleConnections;
        var rows = new List<IReadOnlyList<string>>();
        foreach (var entry in entries)
        {
            var peer = lab.Start(entry.Peer, entry.Setup);
            var before = peer.ResidentMegabytes;
            using (lab.Traffic.Idle(peer, connections))
            {
                var cpu = peer.CpuSeconds;
                Thread.Sleep(TimeSpan.FromSeconds(lab.Options.Seconds));
                var share = (peer.CpuSeconds - cpu) / lab.Options.Seconds;
                var resident = peer.ResidentMegabytes;
                rows.Add([entry.Peer.Name, Text("F0", resident), Text("F1", (resident - before) * 1024 / connections), Text("P1", share)]);
                progress($"{entry.Peer.Name} {resident:F0} MB");
            }

            lab.Stop(peer);
        }

        return new ScenarioResult(["proxy", $"RSS MB with {connections:N0} connections", "KB per connection", "CPU of one core meanwhile"], rows, new Dictionary<string, double>());
    }

    private static string Text(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
}
