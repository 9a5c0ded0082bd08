using System.Globalization;
using Tidegate.Load.Runs;
using Tidegate.Load.Traffic;

namespace Tidegate.Load.Scenarios;

/// <summary>
/// One request over and over: CPU per request and requests per second from a closed loop, latencies from an open loop. Proxies take turns in every
/// round, so that what disturbs the machine disturbs all of them.
/// </summary>
internal sealed class ForwardKind(RequestShape request) : IScenarioKind
{
    /// <summary>Latencies at the fixed rate and at half of the first proxy's best; for cleartext HTTP/1.1.</summary>
    public bool HasOpenLoop { get; init; }

    public ScenarioResult Measure(Lab lab, IReadOnlyList<ScenarioEntry> entries, Action<string> progress)
    {
        var rows = entries.Select(entry => new ForwardRow(lab.Start(entry.Peer, entry.Setup))).ToList();
        foreach (var row in rows)
        {
            lab.Traffic.Run(row.Peer, request, 0, row.Peer.Peer.WarmUpSeconds * lab.Options.WarmUpFactor);
        }

        var half = 0.0;
        for (var round = 1; round <= lab.Options.Rounds; round++)
        {
            foreach (var row in rows)
            {
                row.Peer.Verify();
                row.Closed.Add(lab.Traffic.Run(row.Peer, request, 0, lab.Options.Seconds));
                progress($"round {round}: {row.Peer.Peer.Name} {row.Closed[^1].CpuMicrosecondsPerRequest:F1} us, {row.Closed[^1].Measurement.PerSecond:F0}/s");
                if (HasOpenLoop)
                {
                    half = half == 0 ? Math.Round(row.Closed[0].Measurement.PerSecond / 2 / 500) * 500 : half;
                    row.AtFixedRate.Add(lab.Traffic.Run(row.Peer, request, lab.Options.Rate, lab.Options.Seconds));
                    row.AtHalf.Add(lab.Traffic.Run(row.Peer, request, half, lab.Options.Seconds));
                }
            }
        }

        var result = Result(rows, lab.Options.Rate, half);
        foreach (var row in rows)
        {
            lab.Stop(row.Peer);
        }

        return result;
    }

    private ScenarioResult Result(IReadOnlyList<ForwardRow> rows, int rate, double half)
    {
        var first = rows[0];
        string[] latencies = HasOpenLoop ? [$"p50 / p99 / p99.9 ms at {rate:N0}/s", $"at {half:N0}/s"] : [];
        List<string> columns = ["proxy", "CPU µs/request", $"ratio to {first.Peer.Peer.Name.Trim('*')}", "requests/s", .. latencies, "RSS MB"];
        var figures = new Dictionary<string, double>();
        var cells = new List<IReadOnlyList<string>>();
        foreach (var row in rows)
        {
            cells.Add(
            [
                row.Peer.Peer.Name + (row.Errors > 0 ? $" ({row.Errors} errors)" : ""),
                Text("F1", row.Cpu),
                Text("F2", row.Cpu / first.Cpu),
                Text("N0", row.PerSecond),
                .. HasOpenLoop ? [Latencies(row.AtFixedRate), Latencies(row.AtHalf)] : Array.Empty<string>(),
                Text("F0", row.Peer.ResidentMegabytes),
            ]);
            var name = row.Peer.Peer.Name.Trim('*');
            figures[name + " cpu"] = row.Cpu;
            figures[name + " per second"] = row.PerSecond;
            figures[name + " p99 at half"] = HasOpenLoop ? ForwardRow.Median(row.AtHalf, sample => sample.Measurement.P99Microseconds) : 0;
        }

        return new ScenarioResult(columns, cells, figures);
    }

    private static string Latencies(IReadOnlyList<Sample> samples)
    {
        string Milliseconds(Func<Measurement, double> microseconds) => Text("F2", ForwardRow.Median(samples, sample => microseconds(sample.Measurement)) / 1000);
        var late = samples.Sum(sample => sample.Measurement.Unanswered) > samples.Sum(sample => sample.Measurement.Count) / 100 ? ", did not keep up" : "";
        return $"{Milliseconds(m => m.P50Microseconds)} / {Milliseconds(m => m.P99Microseconds)} / {Milliseconds(m => m.P999Microseconds)}{late}";
    }

    private static string Text(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
}
