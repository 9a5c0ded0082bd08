using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Control.Admin;
using Tidegate.Control.Live;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Control;

/// <summary>What those who watch get, and what they miss.</summary>
public sealed class ExchangeTailTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly FakeTimeProvider _time = new();
    private readonly ExchangeTail _tail = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_viewer_gets_what_fits_in_order()
    {
        var viewer = _tail.TryWatch(Search with { Api = "stripe", Region = "eu" }, Ana)!;
        await SeeAsync(TestRecords.Ingress, TestRecords.Egress with { Id = 1, Region = "eu" }, TestRecords.Egress with { Id = 2 }, TestRecords.Egress with { Id = 3, Region = "eu" });

        var (records, dropped) = await viewer.NextAsync(Patience, _time, Cancellation);
        Assert.Equal([1UL, 3UL], records.Select(record => record.Id));
        Assert.Equal(0, dropped);
    }

    [Fact]
    public async Task One_who_is_too_slow_misses_the_oldest_and_is_told_how_many()
    {
        var viewer = _tail.TryWatch(Search, Ana)!;
        for (var i = 0; i < TailViewer.MaxWaiting + 7; i++)
        {
            await SeeAsync(TestRecords.Ingress with { Id = (ulong)i });
        }

        var (records, dropped) = await viewer.NextAsync(Patience, _time, Cancellation);
        Assert.Equal((TailViewer.MaxWaiting, 7, 7UL), (records.Count, dropped, records[0].Id));
        await SeeAsync(TestRecords.Ingress);
        Assert.Equal(0, (await viewer.NextAsync(Patience, _time, Cancellation)).Dropped);
    }

    [Fact]
    public async Task Silence_ends_after_a_while_and_so_does_everything_when_the_gateway_does()
    {
        var viewer = _tail.TryWatch(Search, Ana)!;
        var waiting = viewer.NextAsync(Patience, _time, Cancellation);
        Assert.False(waiting.IsCompleted);
        _time.Advance(Patience);
        Assert.Empty((await waiting).Records);

        var last = viewer.NextAsync(Patience, _time, Cancellation);
        _tail.Close();
        Assert.Empty((await last).Records);
        Assert.True(viewer.IsClosed);
        Assert.Null(_tail.TryWatch(Search, Ana));
    }

    [Fact]
    public void There_is_room_for_some_and_for_another_when_one_leaves()
    {
        var viewers = Enumerable.Range(0, ExchangeTail.MaxViewers).Select(i => _tail.TryWatch(Search, AdminCaller.Of($"viewer {i}", AdminRole.Viewer, []))!).ToList();
        Assert.Null(_tail.TryWatch(Search, Ana));
        _tail.Leave(viewers[3]);
        Assert.NotNull(_tail.TryWatch(Search, Ana));
    }

    [Fact]
    public void One_person_does_not_hold_the_places_of_others_and_whoever_has_the_token_is_not_one_person()
    {
        Assert.All(Enumerable.Range(0, ExchangeTail.MaxViewersEach), _ => Assert.NotNull(_tail.TryWatch(Search, Ana)));
        Assert.Null(_tail.TryWatch(Search, Ana));
        Assert.All(Enumerable.Range(0, ExchangeTail.MaxViewers - ExchangeTail.MaxViewersEach), _ => Assert.NotNull(_tail.TryWatch(Search, AdminCaller.Token)));
        Assert.Null(_tail.TryWatch(Search, AdminCaller.Token));
    }

    private static AdminCaller Ana { get; } = AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]);

    private static ExchangeSearch Search { get; } = new() { From = default, To = default };

    private async Task SeeAsync(params ExchangeRecord[] records) => await _tail.WriteAsync(records, Cancellation);
}
