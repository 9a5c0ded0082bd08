using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Postgres;
using Tidegate.Recording;
using Tidegate.Testing;

namespace Tidegate.StoreBench;

/// <summary>
/// What PostgreSQL costs as a store: each turn brings what came in a second of the records' time, so many, and the next begins at once. CPU is that of this process, and of the server with all its
/// processes, of which the checkpoints and the log's writing that fall into the time are a part.
/// </summary>
internal static class Postgres
{
    private const int Batch = 128;

    // Until the code is compiled well and the tables are there.
    private const int WarmTurns = 10;

    public static async Task RunAsync(TimeSpan length, int perSecond)
    {
        if (PostgresCluster.Programs() is not { } programs)
        {
            Console.WriteLine("PostgreSQL is not installed: apt-get install postgresql.");
            return;
        }

        // As it is when nobody has configured anything, and what is committed is on the disk.
        using var cluster = new PostgresCluster(programs, []);
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 25, 0, 0, 0, TimeSpan.Zero));
        var address = PostgresAddress.Parse(cluster.Address)!;
        await using var store = new PostgresStore(address, new StoreSettings { Directory = "", MaxBytes = 1L << 40, MaxAge = TimeSpan.FromDays(400) }, Console.Error.WriteLine, time, databaseNow: _ => time.GetUtcNow());
        var turns = new Turns(store, time, perSecond);
        for (var turn = 0; turn < WarmTurns; turn++)
        {
            await turns.NextAsync();
        }

        await using var watch = new NpgsqlConnection(address + ";Pooling=false");
        await watch.OpenAsync();
        var (before, server, log) = (turns.So, ServerCpu(cluster.ProcessId), await AskAsync(watch, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"));
        var longest = TimeSpan.Zero;
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < length)
        {
            longest = await turns.NextAsync() is var took && took > longest ? took : longest;
        }

        var (after, elapsed) = (turns.So, Stopwatch.GetElapsedTime(began).TotalSeconds - (turns.So.Making - before.Making));
        var serverSeconds = ServerCpu(cluster.ProcessId) - server;
        var records = (double)(after.Records - before.Records);
        log = await AskAsync(watch, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn") - log;
        var exchanges = await AskAsync(watch, "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'exchanges'::regclass");
        var sums = await AskAsync(watch, "SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest('{minutes,quarter_hours,hours,quarter_days,keys}'::text[]) t");
        var kinds = await AskAsync(watch, "SELECT count(*) FROM keys");
        var rows = await AskAsync(watch, "SELECT sum(n) FROM (SELECT count(*) n FROM minutes UNION ALL SELECT count(*) FROM quarter_hours UNION ALL SELECT count(*) FROM hours UNION ALL SELECT count(*) FROM quarter_days) t");
        Console.WriteLine($"{records:N0} records, {perSecond:N0} a turn, {(records / perSecond):N0} turns in {elapsed:F0} s, {kinds:N0} kinds; {store.Failures} failures, {store.Dropped} lost");
        Console.WriteLine($"  {records / elapsed:N0} records a second; the longest turn {longest.TotalMilliseconds:F0} ms");
        Console.WriteLine($"  CPU of Tidegate: {(after.Writing - before.Writing) / records * 1e6:F2} us a record on the recorder's thread, {(after.Bringing - before.Bringing) / records * 1e6:F2} us behind it, {(after.Bringing - before.Bringing) / records * perSecond * 1e3:F0} ms a turn");
        Console.WriteLine($"  CPU of the server: {serverSeconds / records * 1e6:F2} us a record, {serverSeconds / records * perSecond * 1e3:F0} ms a turn");
        Console.WriteLine($"  at rest: {exchanges / after.Records:F0} bytes a record; sums and their indexes {sums / 1e6:F1} MB for {rows:N0} rows; {log / records:F0} bytes of write-ahead log a record");
        if (store.Failures > 0)
        {
            Environment.ExitCode = 1;
        }
    }

    private static async Task<double> AskAsync(NpgsqlConnection database, string question)
    {
#pragma warning disable CA2100 // Written above.
        await using var command = new NpgsqlCommand(question, database);
#pragma warning restore CA2100
        return Convert.ToDouble(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }

    /// <summary>Seconds of a process, of those that it has begun, and of those of them that have ended.</summary>
    private static double ServerCpu(int process)
    {
        var ticks = 0L;
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && Stat(directory) is { } stat && (id == process || stat[1] == process.ToString(CultureInfo.InvariantCulture)))
            {
                // utime, stime, and of the ended children both.
                ticks += stat[11..(id == process ? 15 : 13)].Sum(field => long.Parse(field, CultureInfo.InvariantCulture));
            }
        }

        // USER_HZ is 100 on every Linux that .NET runs on.
        return ticks / 100.0;
    }

    // From the state on, which stands behind the name in parentheses. Null when the process has ended meanwhile.
    private static string[]? Stat(string directory)
    {
        try
        {
            var text = File.ReadAllText(Path.Combine(directory, "stat"));
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Seconds of records, one after the other, and what they cost.</summary>
    private sealed class Turns(PostgresStore store, FakeTimeProvider time, int perSecond)
    {
        private readonly Traffic _traffic = new(1);
        private readonly ExchangeRecord[] _batch = new ExchangeRecord[Batch];

        /// <summary>Records, and seconds: on the clock to make them, of CPU to hand them over and to bring them to the database.</summary>
        public (long Records, double Making, double Writing, double Bringing) So { get; private set; }

        /// <summary>How long it took to bring a second's records to the database.</summary>
        public async Task<TimeSpan> NextAsync()
        {
            var (records, making, writing, bringing) = So;
            var apart = TimeSpan.FromSeconds(1.0 / perSecond);
            var next = time.GetUtcNow();
            for (var written = 0; written < perSecond; written += Batch)
            {
                var batch = _batch.AsMemory(0, Math.Min(Batch, perSecond - written));
                var began = Stopwatch.GetTimestamp();
                _traffic.Fill(batch.Span, next, apart);
                making += Stopwatch.GetElapsedTime(began).TotalSeconds;
                next += apart * batch.Length;
                writing += await Answers.CpuAsync(() => store.WriteAsync(batch, CancellationToken.None));
                records += batch.Length;
            }

            time.Advance(TimeSpan.FromSeconds(1));
            var from = Stopwatch.GetTimestamp();
            bringing += await Answers.CpuAsync(() =>
            {
                store.BringToDatabase();
                return default;
            });
            So = (records, making, writing, bringing);
            return Stopwatch.GetElapsedTime(from);
        }
    }
}
