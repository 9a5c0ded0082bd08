using System.Globalization;
using Tidegate.Load.Runs;
using Tidegate.Load.Traffic;

namespace Tidegate.Load.Scenarios;

/// <summary>From the start of the process to its first answer; what the first second of traffic costs against later ones; what it costs to do nothing.</summary>
internal sealed class StartKind : IScenarioKind
{
    // A third of what the slowest peer here can do, so that none of them is late in its first second.
    private const double Rate = 1000;

    public ScenarioResult Measure(Lab lab, IReadOnlyList<ScenarioEntry> entries, Action<string> progress)
    {
        var rows = new List<IReadOnlyList<string>>();
        var figures = new Dictionary<string, double>();
        foreach (var entry in entries)
        {
            var began = Clock.Now;
            var peer = lab.Start(entry.Peer, entry.Setup);
            var ready = (Clock.Now - began) / (double)Clock.Second;
            var idle = Idle(peer, lab.Options.Seconds);
            var request = new RequestShape("/");
            var first = lab.Traffic.RunCold(peer, request, Rate, 1).CpuMicrosecondsPerRequest;
            lab.Traffic.Run(peer, request, 0, entry.Peer.WarmUpSeconds * lab.Options.WarmUpFactor);
            var steady = lab.Traffic.Run(peer, request, Rate, lab.Options.Seconds).CpuMicrosecondsPerRequest;
            rows.Add([entry.Peer.Name, Text("F2", ready), Text("P1", idle), Text("F0", first), Text("F0", steady), Text("F1", first / steady)]);
            figures[entry.Peer.Name.Trim('*') + " ready"] = ready;
            figures[entry.Peer.Name.Trim('*') + " idle"] = idle;
            figures[entry.Peer.Name.Trim('*') + " first second"] = first / steady;
            progress($"{entry.Peer.Name} ready after {ready:F2} s");
            lab.Stop(peer);
        }

        return new ScenarioResult(
            ["proxy", "start to first answer s", "CPU of one core when idle", $"µs/request in the first second at {Rate:N0}/s", "µs/request later", "ratio"], rows, figures);
    }

    private static double Idle(RunningPeer peer, double seconds)
    {
        Thread.Sleep(1000);
        var before = peer.CpuSeconds;
        Thread.Sleep(TimeSpan.FromSeconds(seconds));
        return (peer.CpuSeconds - before) / seconds;
    }

    private static string Text(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
}
