using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Live;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class LiveTests
{
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_last_minute_forgets_what_is_older_and_the_sum_since_the_start_does_not()
    {
        var apis = new ApiStatistics(_time);
        await apis.TakeAsync([TestRecords.Ingress, TestRecords.Ingress], Cancellation);
        _time.Advance(TimeSpan.FromSeconds(59));
        await apis.TakeAsync([TestRecords.Ingress], Cancellation);

        Assert.Equal((3, 3), Counts(apis));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal((3, 1), Counts(apis));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal((3, 0), Counts(apis));
    }

    [Fact]
    public async Task Outcomes_statuses_and_bytes_are_those_of_the_records()
    {
        var apis = new ApiStatistics(_time);
        await apis.TakeAsync([TestRecords.Ingress, TestRecords.Refused, TestRecords.Ingress with { Outcome = Outcome.Failed, Status = 0 }], Cancellation);

        apis.Read((direction, api, sinceStart, _) =>
        {
            Assert.Equal((Direction.Ingress, "orders"), (direction, api));
            Assert.Equal((1, 1, 1), (sinceStart.Of(Outcome.Forwarded), sinceStart.Of(Outcome.Rejected), sinceStart.Of(Outcome.Failed)));
            Assert.Equal((1, 1, 1), (sinceStart.OfStatusClass(2), sinceStart.OfStatusClass(4), sinceStart.OfStatusClass(0)));
            Assert.Equal(300, sinceStart.ResponseBytes);
        });
    }

    [Fact]
    public async Task Refusals_do_not_hide_what_the_upstream_answers_with_500()
    {
        var apis = new ApiStatistics(_time);
        await apis.TakeAsync([TestRecords.Ingress with { Status = 500 }, TestRecords.Ingress with { Status = 503 }, .. Enumerable.Repeat(TestRecords.Refused with { Status = 429 }, 10), TestRecords.Refused with { Status = 503 }], Cancellation);

        apis.Read((_, _, _, lastMinute) => Assert.Equal(2, lastMinute.Errors));
    }

    [Fact]
    public async Task A_client_that_hangs_up_is_no_error_of_the_api()
    {
        var left = TestRecords.Ingress with { Outcome = Outcome.Failed, Status = 499, Reason = "client", Code = "client_aborted" };
        var broken = TestRecords.Ingress with { Outcome = Outcome.Failed, Status = 502, Reason = "upstream", Code = "connect_failed" };
        var (apis, seconds) = (new ApiStatistics(_time), new RecentSeconds(_time));
        await apis.TakeAsync([left, broken, left with { Status = 0 }], Cancellation);
        await seconds.TakeAsync([left, broken, left with { Status = 0 }], Cancellation);
        _time.Advance(TimeSpan.FromSeconds(1));

        apis.Read((_, _, sinceStart, _) => Assert.Equal((3, 1), (sinceStart.Exchanges, sinceStart.Errors)));
        Assert.Equal((3, 1), (seconds.Read(Direction.Ingress)[^1].Exchanges, seconds.Read(Direction.Ingress)[^1].Errors));
    }

    [Fact]
    public async Task How_long_a_tunnel_or_websocket_lived_is_no_latency()
    {
        var apis = new ApiStatistics(_time);
        await apis.TakeAsync([TestRecords.Egress with { Method = "CONNECT" }, TestRecords.Egress with { Status = 101 }, TestRecords.Egress with { Method = "CONNECT", Outcome = Outcome.Failed }], Cancellation);

        apis.Read((_, _, sinceStart, _) => Assert.Equal((3, 1), (sinceStart.Exchanges, sinceStart.Latency.Count)));
    }

    [Fact]
    public async Task Each_of_the_last_seconds_has_its_exchanges_and_what_is_older_is_forgotten()
    {
        var seconds = new RecentSeconds(_time);
        await seconds.TakeAsync([TestRecords.Ingress, TestRecords.Ingress with { Status = 503 }, TestRecords.Refused with { Status = 503 }, TestRecords.Egress], Cancellation);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((3, 1), Last(Direction.Ingress));
        Assert.Equal((1, 0), Last(Direction.Egress));
        _time.Advance(TimeSpan.FromSeconds(RecentSeconds.Seconds));
        await seconds.TakeAsync([TestRecords.Ingress], Cancellation);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((1, 0), Last(Direction.Ingress));
        Assert.Equal(1, seconds.Read(Direction.Ingress).Sum(second => second.Exchanges));
        Assert.Equal(0, seconds.Read(Direction.Egress).Sum(second => second.Exchanges));

        (int Exchanges, int Errors) Last(Direction direction) => seconds.Read(direction)[^1] is var last ? (last.Exchanges, last.Errors) : default;
    }

    [Fact]
    public async Task The_number_of_apis_is_bounded()
    {
        var apis = new ApiStatistics(_time);
        await apis.TakeAsync([.. Enumerable.Range(0, 2_000).Select(i => TestRecords.Ingress with { Api = $"api-{i}" })], Cancellation);

        var seen = new List<(string Api, long Exchanges)>();
        apis.Read((_, api, sinceStart, _) => seen.Add((api, sinceStart.Exchanges)));
        Assert.Equal(501, seen.Count);
        Assert.Equal(1_500, seen.Single(found => found.Api == ApiStatistics.Other).Exchanges);
    }

    [Fact]
    public async Task The_newest_exchanges_come_first_and_old_ones_go()
    {
        var recent = new RecentExchanges(capacity: 3);
        await recent.TakeAsync([.. Enumerable.Range(1, 5).Select(i => TestRecords.Ingress with { Id = (ulong)i })], Cancellation);

        Assert.Equal([5UL, 4UL, 3UL], Ids(recent, _ => true, 10));
        Assert.Equal([5UL, 4UL], Ids(recent, _ => true, 2));
        Assert.Equal([3UL], Ids(recent, record => record.Id < 4, 10));
    }

    [Fact]
    public async Task Good_exchanges_do_not_push_out_the_trouble()
    {
        var recent = new RecentExchanges(capacity: 2);
        var trouble = new[] { TestRecords.Refused with { Id = 1 }, TestRecords.Ingress with { Id = 2, Status = 500 } };
        await recent.TakeAsync([trouble[0], TestRecords.Ingress with { Id = 10 }, trouble[1], .. Enumerable.Range(11, 50).Select(i => TestRecords.Ingress with { Id = (ulong)i })], Cancellation);

        Assert.Equal([60UL, 59UL, 2UL, 1UL], Ids(recent, _ => true, 10));
    }

    private static IEnumerable<ulong> Ids(RecentExchanges recent, Predicate<ExchangeRecord> fits, int limit) => recent.Find(fits, limit).Select(record => record.Id);

    private static (long SinceStart, long LastMinute) Counts(ApiStatistics apis)
    {
        var counts = (0L, 0L);
        apis.Read((_, _, sinceStart, lastMinute) => counts = (sinceStart.Exchanges, lastMinute.Exchanges));
        return counts;
    }
}
