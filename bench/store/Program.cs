// What the exchange store costs: CPU for each record, bytes at rest, and how long its answers take. bench/store/run [RECORDS] [HOURS]: 2,000,000 by default, over 24 hours of the records' time.
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;
using Tidegate.StoreBench;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var records = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 2_000_000;
const int Batch = 128;
var hours = args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 24;
var directory = Directory.CreateTempSubdirectory("tidegate-store-bench-");
try
{
    var start = new DateTimeOffset(2026, 11, 25, 0, 0, 0, TimeSpan.Zero);
    var time = new FakeTimeProvider(start);
    var traffic = new Traffic(1);
    var batch = new ExchangeRecord[Batch];
    var writing = 0.0;
    var bringing = 0.0;
    var longest = TimeSpan.Zero;
    var most = 0L;
    var apart = TimeSpan.FromHours(hours) / records;
    await using (var store = ExchangeStore.Open(new StoreSettings { Directory = directory.FullName, MaxBytes = 1L << 40, MaxAge = TimeSpan.FromDays(400) }, Console.Error.WriteLine, time))
    {
        var next = start;
        for (var written = 0; written < records; written += Batch)
        {
            traffic.Fill(batch, next, apart);
            next += apart * Batch;
            var began = Stopwatch.GetTimestamp();
            writing += await Cpu(() => store.WriteAsync(batch, CancellationToken.None));
            longest = Stopwatch.GetElapsedTime(began) is var took && took > longest ? took : longest;

            // As often as at 20,000 a second.
            if (written / 20_000 != (written + Batch) / 20_000)
            {
                time.SetUtcNow(next);
                bringing += await Cpu(() => BringAsync(store));
                most = Math.Max(most, Environment.WorkingSet);
            }
        }

        time.SetUtcNow(next.AddHours(1));
        bringing += await Cpu(() => BringAsync(store));
        var (segments, _) = store.Files;
        Console.WriteLine($"{records:N0} records of {hours:0.###} hours, {segments.Count} segments");
        Console.WriteLine($"  CPU: {writing / records * 1e6:F2} us a record on the recorder's thread, {bringing / records * 1e6:F2} us to the disk behind it");
        Console.WriteLine($"  at 20,000/s: {(writing + bringing) / records * 20_000:P1} of one core");
        Console.WriteLine($"  the longest that the recorder waited: {longest.TotalMilliseconds:F1} ms");
        Console.WriteLine($"  memory: {most >> 20} MB at most after a turn, {Environment.WorkingSet >> 20} MB at the end");
        Console.WriteLine($"  at rest: {(double)segments.Sum(segment => segment.Bytes) / records:F1} bytes a record");
        await using var reader = new StoreReader(store, time);
        var all = new SeriesQuery { From = start, To = start.AddHours(hours), Step = TimeSpan.FromHours(1), GroupBy = ["api"] };
        await Ask("24 h by API, by hour", () => reader.SeriesAsync(all with { To = start.AddHours(24) }, CancellationToken.None));
        await Ask("24 h by API, by 15 minutes", () => reader.SeriesAsync(all with { To = start.AddHours(24), Step = TimeSpan.FromMinutes(15) }, CancellationToken.None));
        if (hours >= 720)
        {
            await Ask("30 d by API, by 6 hours", () => reader.SeriesAsync(all with { To = start.AddDays(30), Step = TimeSpan.FromHours(6) }, CancellationToken.None));
        }

        await Ask("24 h by consumer and status, by hour", () => reader.SeriesAsync(all with { To = start.AddHours(24), GroupBy = ["consumer", "status"] }, CancellationToken.None));
        await Ask("6 h of one API by 5 minutes", () => reader.SeriesAsync(all with { To = start.AddHours(6), Step = TimeSpan.FromMinutes(5), GroupBy = [], Filters = [("api", "api-3")] }, CancellationToken.None));
        var search = new ExchangeSearch { From = start, To = start.AddHours(hours) };
        await Ask("search: 503 of one API", () => reader.FindAsync(search with { Api = "api-3", Status = (503, 503) }, CancellationToken.None));
        await Ask("search: one path", () => reader.FindAsync(search with { Path = "/v1/items/4242" }, CancellationToken.None));
        await Ask("search: one exchange", () => reader.FindAsync(search with { Id = (ulong)records / 2, Limit = 1 }, CancellationToken.None));
    }
}
finally
{
    directory.Delete(recursive: true);
}

static ValueTask BringAsync(ExchangeStore store)
{
    store.BringToDisk(isLast: false);
    return default;
}

// Of the whole process, collections too.
static async Task<double> Cpu(Func<ValueTask> action)
{
    var before = Environment.CpuUsage.TotalTime;
    await action();
    return (Environment.CpuUsage.TotalTime - before).TotalSeconds;
}

static async Task Ask<T>(string what, Func<Task<T>> ask)
{
    await ask();
    var times = new List<double>();
    var cpu = 0.0;
    for (var i = 0; i < 5; i++)
    {
        var began = Stopwatch.GetTimestamp();
        cpu += await Cpu(async () => await ask());
        times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
    }

    Console.WriteLine($"  {what}: {times.Order().ElementAt(2):F0} ms, {cpu / 5 * 1e3:F0} ms of CPU");
}
