using System.Diagnostics;
using System.Globalization;
using Tidegate.Control.Store;
using Tidegate.Recording;

namespace Tidegate.StoreBench;

/// <summary>
/// How long the recorder's thread waits for the store while the store's own thread brings everything to the disk and makes segments of it, in real time. A machine that is shared makes threads wait for a
/// core: the kernel says how long each ran and waited for one, and what is left of the time was spent asleep, on a lock or in the file system.
/// </summary>
internal static class Waits
{
    private const int Batch = 128;
    private const int PerSecond = 20_000;

    public static async Task RunAsync(string directory, TimeSpan length)
    {
        await using var store = ExchangeStore.Open(new StoreSettings { Directory = directory, MaxBytes = 1L << 40, MaxAge = TimeSpan.FromDays(400) }, Console.Error.WriteLine, TimeProvider.System);
        store.Start();
        var waits = await Task.Factory.StartNew(() => Write(store, length), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var (segments, logs) = store.Files;
        Console.WriteLine($"{waits.Count} writes of {Batch} records in {length.TotalSeconds:F0} s, {segments.Count} segments and {logs.Count} logs, {store.Failures} failures");
        Console.WriteLine($"  on the clock: {waits.Max(wait => wait.Clock):F1} ms at most; half of them {waits.Select(wait => wait.Clock).Order().ElementAt(waits.Count / 2):F2} ms");
        Console.WriteLine($"  of that asleep: {waits.Max(wait => wait.Asleep):F1} ms at most, more than 1 ms in {waits.Count(wait => wait.Asleep > 1)} writes");
    }

    private static List<(double Clock, double Asleep)> Write(ExchangeStore store, TimeSpan length)
    {
        var traffic = new Traffic(1);
        var batch = new ExchangeRecord[Batch];
        var waits = new List<(double, double)>();

        // On this thread, whose times are read.
        using var never = new ManualResetEventSlim(initialState: false, spinCount: 0);
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) is var passed && passed < length)
        {
            traffic.Fill(batch, TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(1.0 / PerSecond));
            var (before, from) = (Busy(), Stopwatch.GetTimestamp());
            var write = store.WriteAsync(batch, CancellationToken.None);
            Debug.Assert(write.IsCompleted, "It ends before it returns.");
            var clock = Stopwatch.GetElapsedTime(from).TotalMilliseconds;
            waits.Add((clock, Math.Max(0, clock - (Busy() - before))));
            var ahead = TimeSpan.FromSeconds((double)waits.Count * Batch / PerSecond) - Stopwatch.GetElapsedTime(began);
            if (ahead > TimeSpan.FromMilliseconds(1))
            {
                never.Wait(ahead);
            }
        }

        return waits;
    }

    // Milliseconds that this thread ran or waited for a core.
    private static double Busy()
    {
        var times = File.ReadAllText("/proc/thread-self/schedstat").Split(' ');
        return (long.Parse(times[0], CultureInfo.InvariantCulture) + long.Parse(times[1], CultureInfo.InvariantCulture)) / 1e6;
    }
}
