using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Control.Admin;
using Tidegate.Control.Live;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Dashboard.Data;
using Tidegate.Recording;
using Tidegate.Tests.Dashboard;
using Xunit;

namespace Tidegate.Tests.Control.Store;

/// <summary>A store that cannot be opened at the start: what is said of it meanwhile, and that it is opened once it can be.</summary>
public sealed class RetriedStoreTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Start);
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-retried-").FullName;
    private readonly List<string> _log = [];
    private ulong _id;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static SeriesQuery Hours => new() { From = Start.AddDays(-1), To = Start.AddDays(1), Step = TimeSpan.FromHours(1) };

    private string Folder => Path.Combine(_directory, "exchanges");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task It_is_opened_as_soon_as_it_can_be_and_what_came_before_is_counted_as_lost()
    {
        await using var store = Closed();
        await using var reader = new StoreReader(store, _time);
        await AddAsync(store, 3);
        store.TryOpen();
        Assert.Contains("exchanges", store.Closed, StringComparison.Ordinal);
        Assert.Equal((3, 2), (store.Dropped, store.Failures));
        await Assert.ThrowsAsync<StoreClosedException>(() => reader.SeriesAsync(Hours, Cancellation));
        Assert.Empty(_log);

        File.Delete(Folder);
        store.TryOpen();
        Assert.Null(store.Closed);
        Assert.Contains("is open", Assert.Single(_log), StringComparison.Ordinal);
        await AddAsync(store, 2);
        for (var tries = 0; (await reader.SeriesAsync(Hours, Cancellation)).Total.Cell.Count < 2; tries++)
        {
            Assert.True(tries < 300, "Nothing was counted in 30 s.");
            await Task.Delay(100, Cancellation);
        }

        Assert.Equal([4UL, 5UL], (await reader.FindAsync(new ExchangeSearch { From = Start.AddDays(-1), To = Start.AddDays(1) }, Cancellation)).Select(record => record.Id).Order());
        Assert.Equal((3, 2), (store.Dropped, store.Failures));
    }

    [Fact]
    public async Task It_is_tried_again_by_itself()
    {
        await using var store = Closed();
        File.Delete(Folder);
        store.Start();
        for (var tries = 0; store.Closed is not null; tries++)
        {
            Assert.True(tries < 600, "It was not opened in a minute.");
            await Task.Delay(100, Cancellation);
        }
    }

    [Theory]
    [InlineData("series")]
    [InlineData("search")]
    [InlineData("search as csv")]
    [InlineData("one")]
    public async Task Whoever_asks_is_told_why_nothing_is_kept(string asked)
    {
        await using var store = Closed();
        await using var reader = new StoreReader(store, _time);
        using var folder = new ExportFolder(store.Folder, _log.Add);
        var past = new PastExchanges(reader, new ExchangeExport(reader, folder, store.Memory, _log.Add, _time), new RecentExchanges(10), _time, _log.Add);
        foreach (var caller in (AdminCaller[])[AdminCaller.Anyone, AdminCaller.Of("ana", AdminRole.Viewer, ["acme"])])
        {
            var context = new DefaultHttpContext();
            context.Features.Set(caller);
            context.Request.QueryString = new QueryString(asked == "search as csv" ? "?format=csv" : "");
            using var body = new MemoryStream();
            context.Response.Body = body;
            await (asked switch
            {
                "series" => past.SeriesAsync(context),
                "one" => past.OneAsync(context, 7, static (json, record) => ExchangeJson.Write(json, record)),
                _ => past.SearchAsync(context),
            });
            using var answer = JsonDocument.Parse(body.ToArray());
            Assert.Equal((503, "store_closed"), (context.Response.StatusCode, answer.RootElement.GetProperty("code").GetString()));
            Assert.Equal(caller.SeesAll, answer.RootElement.GetProperty("detail").GetString()!.Contains(Folder, StringComparison.Ordinal));
        }

        Assert.Empty(_log);
    }

    [Fact]
    public async Task Pages_say_why_nothing_is_kept()
    {
        await using var store = Closed();
        await using var reader = new StoreReader(store, _time);
        var sources = PageRenderer.Sources(_time) with { Store = reader };
        Assert.Contains(Folder, (await new TrafficReader(sources).ReadAsync(AdminCaller.Anyone, [Hours], Cancellation)).Trouble, StringComparison.Ordinal);
        Assert.Contains(Folder, (await new PastReader(sources).FindAsync(AdminCaller.Anyone, 7, Cancellation)).Trouble, StringComparison.Ordinal);
        Assert.DoesNotContain(Folder, (await new TrafficReader(sources).ReadAsync(AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), [Hours], Cancellation)).Trouble, StringComparison.Ordinal);
    }

    /// <summary>Its directory cannot be made, because a file is there.</summary>
    private RetriedStore Closed()
    {
        File.WriteAllText(Folder, "");
        var settings = new StoreSettings { Directory = Folder, MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) };
        var trouble = Assert.Throws<IOException>(() => ExchangeStore.Open(settings, _log.Add, _time));
        return new RetriedStore(() => ExchangeStore.Open(settings, _log.Add, _time), settings, trouble.Message, _log.Add);
    }

    private async Task AddAsync(RetriedStore store, int count) => await store.WriteAsync(StoreRecords.Batch(new Random(1), ref _id, Start, count), Cancellation);
}
