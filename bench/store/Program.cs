// What the exchange store costs: CPU for each record, bytes at rest, and how long its answers take. bench/store/run [RECORDS] [HOURS]: 2,000,000 by default, over 24 hours of the records' time.
// bench/store/run sums RECORDS HOURS [DIRECTORY]: only the sums of so many, and answers from them; a directory is kept, and asked again if it has sums already.
// bench/store/run waits SECONDS [DIRECTORY]: how long the recorder's thread waits at 20,000 records a second while everything comes to the disk that the directory is on.
// bench/store/run postgres SECONDS [RECORDS]: the same with PostgreSQL, a server of its own, so many records each second of theirs (20,000 by default) and one second after the other.
// bench/store/run memory RECORDS SECONDS: what the process takes while everything is asked of so many at once.
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;
using Tidegate.StoreBench;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["sums", var count, var span, .. var kept])
{
    await SumsAsync(long.Parse(count, CultureInfo.InvariantCulture), double.Parse(span, CultureInfo.InvariantCulture), kept.FirstOrDefault());
    return;
}

if (args is ["waits", var seconds, .. var place])
{
    var waited = place.Length > 0 ? Directory.CreateDirectory(Path.Combine(place[0], "tidegate-store-waits")) : Directory.CreateTempSubdirectory("tidegate-store-bench-");
    try
    {
        await Waits.RunAsync(waited.FullName, TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture)));
    }
    finally
    {
        waited.Delete(recursive: true);
    }

    return;
}

if (args is ["memory", var many, var asked])
{
    var folder = Directory.CreateTempSubdirectory("tidegate-store-bench-");
    try
    {
        await Memory.RunAsync(folder.FullName, int.Parse(many, CultureInfo.InvariantCulture), TimeSpan.FromSeconds(double.Parse(asked, CultureInfo.InvariantCulture)));
    }
    finally
    {
        folder.Delete(recursive: true);
    }

    return;
}

if (args is ["postgres", var duration, .. var each])
{
    await Postgres.RunAsync(TimeSpan.FromSeconds(double.Parse(duration, CultureInfo.InvariantCulture)), each.Length > 0 ? int.Parse(each[0], CultureInfo.InvariantCulture) : 20_000);
    return;
}

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
            writing += await Answers.CpuAsync(() => store.WriteAsync(batch, CancellationToken.None));
            longest = Stopwatch.GetElapsedTime(began) is var took && took > longest ? took : longest;

            // As often as at 20,000 a second.
            if (written / 20_000 != (written + Batch) / 20_000)
            {
                time.SetUtcNow(next);
                bringing += await Answers.CpuAsync(() => BringAsync(store));
                most = Math.Max(most, Environment.WorkingSet);
            }
        }

        time.SetUtcNow(next.AddHours(1));
        bringing += await Answers.CpuAsync(() => BringAsync(store));
        var (segments, _) = store.Files;
        Console.WriteLine($"{records:N0} records of {hours:0.###} hours, {segments.Count} segments");
        Console.WriteLine($"  CPU: {writing / records * 1e6:F2} us a record on the recorder's thread, {bringing / records * 1e6:F2} us to the disk behind it");
        Console.WriteLine($"  at 20,000/s: {(writing + bringing) / records * 20_000:P1} of one core");
        Console.WriteLine($"  the longest that the recorder waited: {longest.TotalMilliseconds:F1} ms");
        Console.WriteLine($"  memory: {most >> 20} MB at most after a turn, {Environment.WorkingSet >> 20} MB at the end");
        Console.WriteLine($"  at rest: {(double)segments.Sum(segment => segment.Bytes) / records:F1} bytes a record");
        await using var reader = new StoreReader(store, time);
        await SeriesAsync(reader, start, hours);
        var search = new ExchangeSearch { From = start, To = start.AddHours(hours) };
        await Answers.AskAsync("search: 503 of one API", () => reader.FindAsync(search with { Api = "api-3", Status = (503, 503) }, CancellationToken.None));
        await Answers.AskAsync("search: one path", () => reader.FindAsync(search with { Path = "/v1/items/4242" }, CancellationToken.None));
        await Answers.AskAsync("search: one exchange", () => reader.FindAsync(search with { Id = (ulong)records / 2, Limit = 1 }, CancellationToken.None));
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

static async Task SumsAsync(long records, double hours, string? kept)
{
    var directory = Directory.CreateDirectory(kept ?? Directory.CreateTempSubdirectory("tidegate-store-bench-").FullName).FullName;
    try
    {
        var start = new DateTimeOffset(2026, 11, 25, 0, 0, 0, TimeSpan.Zero);
        if (!File.Exists(Path.Combine(directory, "rollups.db")))
        {
            SumsOnly.Make(directory, records, start, TimeSpan.FromHours(hours));
        }

        var time = new FakeTimeProvider(start);
        await using var store = ExchangeStore.Open(new StoreSettings { Directory = directory, MaxBytes = 1L << 40, MaxAge = TimeSpan.FromDays(400) }, Console.Error.WriteLine, time);
        await using var reader = new StoreReader(store, time);
        Console.WriteLine($"Sums of {records:N0} records of {hours:0.###} hours, {new FileInfo(Path.Combine(directory, "rollups.db")).Length >> 20} MB");
        await SeriesAsync(reader, start, hours);
    }
    finally
    {
        if (kept is null)
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}

static async Task SeriesAsync(StoreReader reader, DateTimeOffset start, double hours)
{
    var day = new SeriesQuery { From = start, To = start.AddDays(1), Step = TimeSpan.FromMinutes(15), GroupBy = ["api"] };
    await Answers.SeriesAsync("24 h by API, by 15 minutes", reader, day);
    await Answers.SeriesAsync("24 h by API, by hour", reader, day with { Step = TimeSpan.FromHours(1) });
    await Answers.SeriesAsync("an overview: 24 h by 15 minutes, and by API and by consumer without points", reader, day with { GroupBy = [] }, day with { HasPoints = false }, day with { GroupBy = ["consumer"], HasPoints = false });
    await Answers.SeriesAsync("24 h by consumer and status, by hour", reader, day with { GroupBy = ["consumer", "status"], Step = TimeSpan.FromHours(1) });
    await Answers.SeriesAsync("6 h of one API by 15 minutes", reader, day with { To = start.AddHours(6), GroupBy = [], Filters = [("api", "api-3")] });
    if (hours >= 720)
    {
        await Answers.SeriesAsync("30 d by API, by 6 hours", reader, day with { To = start.AddDays(30), Step = TimeSpan.FromHours(6) });
    }
}
