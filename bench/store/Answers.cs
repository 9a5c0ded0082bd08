using System.Diagnostics;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Queries;

namespace Tidegate.StoreBench;

/// <summary>How long an answer takes, and what it says: the same sums must give the same digest whatever becomes faster.</summary>
internal static class Answers
{
    private const int Times = 9;

    // The runtime compiles well what was called 30 times, and what loops while it does.
    private const int WarmTimes = 30;

    public static async Task SeriesAsync(string what, StoreReader reader, params IReadOnlyList<SeriesQuery> queries)
    {
        IReadOnlyList<SeriesResult> results = [];
        await AskAsync(what, async () => results = await reader.SeriesAsync(queries, CancellationToken.None), () => $", digest {Digest(results):x16}");
    }

    public static async Task AskAsync<T>(string what, Func<Task<T>> ask, Func<string>? also = null)
    {
        for (var i = 0; i < WarmTimes; i++)
        {
            await ask();
        }

        var clock = new List<double>();
        var cpu = new List<double>();
        for (var i = 0; i < Times; i++)
        {
            var began = Stopwatch.GetTimestamp();
            cpu.Add(await CpuAsync(async () => await ask()) * 1e3);
            clock.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        Console.WriteLine($"  {what}: {Median(cpu):F0} ms of CPU, {Median(clock):F0} ms on the clock{also?.Invoke()}");
    }

    /// <summary>Of the whole process, collections too.</summary>
    public static async Task<double> CpuAsync(Func<ValueTask> action)
    {
        var before = Environment.CpuUsage.TotalTime;
        await action();
        return (Environment.CpuUsage.TotalTime - before).TotalSeconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static ulong Digest(IReadOnlyList<SeriesResult> results)
    {
        var text = new StringBuilder();
        foreach (var result in results)
        {
            Add(text, result.Total);
            Add(text, result.Others);
            foreach (var group in result.Groups)
            {
                text.AppendJoin('|', group.Key);
                Add(text, group.Total);
                group.Points.ToList().ForEach(point => Add(text, point));
            }
        }

        return XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private static void Add(StringBuilder text, SeriesPoint point)
    {
        var bytes = new ByteSink();
        point.Cell.Latency.Write(bytes);
        var sums = new long[Control.Store.Rollups.RollupCell.SumCount];
        point.Cell.CopySums(sums);
        text.Append(CultureInfo.InvariantCulture, $"{point.Begin.UtcTicks} {string.Join(',', sums)} {point.Errors} {point.ClientErrors} {point.Cell.Clients.Estimate()} {point.Cell.Latency.Count} {Convert.ToHexString(bytes.Written)}\n");
    }
}
