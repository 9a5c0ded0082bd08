using System.Globalization;

namespace Tidegate.Soak;

/// <summary>What the gateway's own metrics said of it, every few seconds.</summary>
internal sealed class Samples
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // What the runtime compiles and pools fill in the first part is not growth.
    private const double WarmShare = 0.3;

    private static readonly (string Metric, string Name, double AllowedGrowth)[] Watched =
    [
        ("process_resident_memory_bytes", "resident memory", 0.05),
        ("dotnet_gc_heap_bytes", "managed heap", 0.25),
        ("process_open_fds", "descriptors", 0.10),
        ("dotnet_thread_pool_threads", "pool threads", 0.50),
    ];

    private readonly List<Dictionary<string, double>> _taken = [];

    public static async Task<Samples> TakeAsync(SoakGateway gateway, Traffic traffic, CancellationToken stop)
    {
        var samples = new Samples();
        using var client = new HttpClient();
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                var text = await client.GetStringAsync(new Uri(gateway["admin"], "/metrics"), stop);
                var sample = Watched.ToDictionary(watched => watched.Metric, watched => Value(text, watched.Metric));
                samples._taken.Add(sample);
                Console.WriteLine($"{samples._taken.Count * Interval.TotalSeconds,5:0} s  {traffic.Calls,9:N0} calls  {traffic.Unexpected,4:N0} unexpected  " + string.Join("  ", Watched.Select(watched => $"{watched.Name} {Shown(sample[watched.Metric])}")));
            }
        }
        catch (OperationCanceledException)
        {
            // The time is over.
            return samples;
        }

        return samples;
    }

    /// <summary>Compares the first third after the warm-up with the last: medians, because a collection may just have run.</summary>
    public bool Judge(Traffic traffic, TextWriter output)
    {
        var warm = _taken[(int)(_taken.Count * WarmShare)..];
        var third = Math.Max(1, warm.Count / 3);
        var isGood = traffic.Unexpected == 0;
        output.WriteLine($"{traffic.Calls:N0} calls, {traffic.Unexpected:N0} did not get what they should have. {traffic.UnexpectedByKind}");
        foreach (var (metric, name, allowed) in Watched)
        {
            var before = Median(warm.Take(third).Select(sample => sample[metric]));
            var after = Median(warm.TakeLast(third).Select(sample => sample[metric]));
            var grew = (after / before) - 1;
            isGood &= grew <= allowed;
            output.WriteLine($"{name}: {Shown(before)} to {Shown(after)}, {grew:+0.0%;-0.0%}{(grew > allowed ? "  GREW" : "")}");
        }

        return isGood;
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private static double Value(string text, string metric) =>
        double.Parse(text.Split('\n').First(line => line.StartsWith(metric + " ", StringComparison.Ordinal))[(metric.Length + 1)..], CultureInfo.InvariantCulture);

    private static string Shown(double value) => value > 100_000 ? $"{value / 1_000_000:0.0} MB" : $"{value:0}";
}
