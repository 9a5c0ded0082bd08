using System.Globalization;
using Tidegate.Load.Runs;
using Tidegate.Load.Traffic;

namespace Tidegate.Load.Scenarios;

/// <summary>
/// What a proxy adds to a request's latency at a modest rate. Everything shares one core: between two cores of a virtual machine the wake-up of the other one is most of
/// what would be measured, and it is the same for every proxy.
/// </summary>
internal sealed class AddedKind : IScenarioKind
{
    private static readonly RequestShape Request = new("/");

    public ScenarioResult Measure(Lab lab, IReadOnlyList<ScenarioEntry> entries, Action<string> progress)
    {
        var rate = lab.Options.Rate;
        var direct = new List<Measurement>();
        var rows = entries.Select(entry => (Peer: lab.Start(entry.Peer, entry.Setup), Samples: new List<Measurement>())).ToList();
        foreach (var (peer, _) in rows)
        {
            lab.Traffic.Run(peer, Request, 0, peer.Peer.WarmUpSeconds * lab.Options.WarmUpFactor);
            lab.Traffic.Run(peer, Request, rate, peer.Peer.WarmUpSeconds * lab.Options.WarmUpFactor);
        }

        for (var round = 1; round <= lab.Options.Rounds; round++)
        {
            direct.Add(lab.Traffic.RunDirect(lab.Upstream, Request, rate, lab.Options.Seconds));
            foreach (var (peer, samples) in rows)
            {
                peer.Verify();
                samples.Add(lab.Traffic.Run(peer, Request, rate, lab.Options.Seconds).Measurement);
                progress($"round {round}: {peer.Peer.Name} p99 {samples[^1].P99Microseconds:F0} us, direct {direct[^1].P99Microseconds:F0} us");
            }
        }

        var figures = new Dictionary<string, double>();
        var cells = new List<IReadOnlyList<string>> { Cells("no proxy", direct, direct) };
        foreach (var (peer, samples) in rows)
        {
            cells.Add(Cells(peer.Peer.Name, samples, direct));
            figures[peer.Peer.Name.Trim('*') + " added p99"] = Median(samples, sample => sample.P99Microseconds) - Median(direct, sample => sample.P99Microseconds);
            lab.Stop(peer);
        }

        foreach (var name in figures.Keys.ToList())
        {
            figures[name] /= 1000;
        }

        return new ScenarioResult(["proxy", "p50 ms", "p99 ms", "p99.9 ms", "added p50 ms", "added p99 ms"], cells, figures);
    }

    private static string[] Cells(string name, List<Measurement> samples, List<Measurement> direct)
    {
        string Of(Func<Measurement, double> figure, double without = 0) => ((Median(samples, figure) - without) / 1000).ToString("F2", CultureInfo.InvariantCulture);
        return
        [
            name, Of(sample => sample.P50Microseconds), Of(sample => sample.P99Microseconds), Of(sample => sample.P999Microseconds),
            Of(sample => sample.P50Microseconds, Median(direct, sample => sample.P50Microseconds)), Of(sample => sample.P99Microseconds, Median(direct, sample => sample.P99Microseconds)),
        ];
    }

    private static double Median(List<Measurement> samples, Func<Measurement, double> figure) => ForwardRow.Median(samples, figure);
}
