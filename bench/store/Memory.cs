using System.Globalization;
using Microsoft.AspNetCore.Http;
using Tidegate.Control.Admin;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.StoreBench;

/// <summary>What the process takes at most while everything is asked of a store of so many exchanges at once: searches that find little, wide sums, Parquet files of 100,000, and segments of what comes meanwhile.</summary>
internal static class Memory
{
    private const int Batch = 128;
    private const int PerSecond = 20_000;

    public static async Task RunAsync(string directory, int records, TimeSpan duration)
    {
        var time = TimeProvider.System;
        var settings = new StoreSettings { Directory = directory, MaxBytes = 1L << 40, MaxAge = TimeSpan.FromDays(400) };
        await using var store = ExchangeStore.Open(settings, Console.Error.WriteLine, time);
        var traffic = new Traffic(1);
        var batch = new ExchangeRecord[Batch];
        var start = time.GetUtcNow().AddHours(-24);
        var apart = TimeSpan.FromHours(24) / records;
        for (var written = 0; written < records; written += Batch)
        {
            traffic.Fill(batch, start + (apart * written), apart);
            await store.WriteAsync(batch, CancellationToken.None);
            if (written / PerSecond != (written + Batch) / PerSecond)
            {
                store.BringToDisk(isLast: false);
            }
        }

        store.Start();
        GC.Collect();
        var before = Resident();
        await using var reader = new StoreReader(store, time);
        using var folder = new ExportFolder(store.Folder, Console.Error.WriteLine);
        var export = new ExchangeExport(reader, folder, store.Memory, Console.Error.WriteLine, time);
        using var over = new CancellationTokenSource(duration);
        var (most, taken, searches, readings, files, segments) = (before, 0, 0, 0, 0, store.Files.Segments.Count);
        var all = new ExchangeSearch { From = start, To = start.AddDays(2) };
        var day = new SeriesQuery { From = start, To = start.AddDays(1), Step = TimeSpan.FromMinutes(15), GroupBy = ["api", "consumer"] };
        Task[] work =
        [
            AgainAsync(over, async () =>
            {
                await reader.FindAsync(all with { Path = "/v1/items/4242" }, CancellationToken.None);
                searches++;
            }),
            AgainAsync(over, async () =>
            {
                await reader.SeriesAsync(day, CancellationToken.None);
                Interlocked.Increment(ref readings);
            }),
            AgainAsync(over, async () =>
            {
                await reader.SeriesAsync(day with { GroupBy = ["consumer", "status"] }, CancellationToken.None);
                Interlocked.Increment(ref readings);
            }),
            AgainAsync(over, async () =>
            {
                var context = new DefaultHttpContext();
                context.Features.Set(AdminCaller.Token);
                await export.AnswerAsync(context, all with { Limit = ExchangeExport.MaxExchanges }, ExportFormat.Parquet);
                files += context.Response.StatusCode == 200 ? 1 : throw new InvalidOperationException($"An export got {context.Response.StatusCode}.");
            }),
            AgainAsync(over, async () =>
            {
                traffic.Fill(batch, time.GetUtcNow(), TimeSpan.Zero);
                await store.WriteAsync(batch, CancellationToken.None);
                await Task.Delay(TimeSpan.FromSeconds((double)Batch / PerSecond));
            }),
            AgainAsync(over, async () =>
            {
                (most, taken) = (Math.Max(most, Resident()), Math.Max(taken, store.Memory.Taken));
                await Task.Delay(20);
            }),
        ];
        await Task.WhenAll(work);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{records:N0} records: {before >> 20} MB before, {most >> 20} MB at most, {taken} MB given away at most; {searches} searches, {readings} readings of sums, {files} files, {store.Files.Segments.Count - segments:+0;-0} segments, {store.Failures} failures"));
    }

    private static async Task AgainAsync(CancellationTokenSource over, Func<Task> action)
    {
        while (!over.IsCancellationRequested)
        {
            await Task.Run(action);
        }
    }

    /// <summary>Of this process alone: pages of the programs' files that others may share aside.</summary>
    private static long Resident()
    {
        var anonymous = File.ReadLines("/proc/self/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(anonymous.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}
