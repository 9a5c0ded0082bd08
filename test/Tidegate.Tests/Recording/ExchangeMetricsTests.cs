using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Recording.Metrics;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Recording;

public sealed class ExchangeMetricsTests
{
    [Fact]
    public async Task Exchanges_are_counted_by_what_tells_them_apart()
    {
        var metrics = new ExchangeMetrics();
        await AddAsync(metrics, TestRecords.Ingress, TestRecords.Ingress, TestRecords.Refused, TestRecords.Egress);

        Assert.Equal(3, metrics.Counts.Count);
        var (key, series) = metrics.Counts.Single(found => found.Value.Exchanges == 2);
        Assert.Equal(("orders", "billing", "acme", "production", "GET", 200), (key.Api, key.Consumer, key.Tenant, key.Environment, key.Method, key.Status));
        Assert.Equal((20, 200), (series.RequestBytes, series.ResponseBytes));
        Assert.Equal(2, metrics.Durations.Single(found => found.Key is { Status: 200, Direction: Direction.Ingress }).Value.Total.Count);
        Assert.Equal(3, metrics.Phases.Single(found => found.Key.Direction == Direction.Ingress).Value.Policies.Count);
        Assert.Equal(2, metrics.Phases.Single(found => found.Key.Direction == Direction.Ingress).Value.FirstByte.Count);
    }

    [Fact]
    public async Task Whatever_tells_two_exchanges_apart_does_so_also_right_after_one_another()
    {
        var metrics = new ExchangeMetrics();
        var first = TestRecords.Egress;
        ExchangeRecord[] others =
        [
            first with { Direction = Direction.Ingress },
            first with { Outcome = Outcome.ServedFromCache },
            first with { Status = 201 },
            first with { Api = "other" },
            first with { Endpoint = "other" },
            first with { Host = "other.test" },
            first with { Port = 8443 },
            first with { Scheme = "http" },
            first with { Consumer = new Consumer("other", "acme", "production") },
            first with { Method = "PUT" },
            first with { Code = "other" },
        ];
        foreach (var other in others)
        {
            await AddAsync(metrics, first, other, first, other);
        }

        Assert.Equal(others.Length + 1, metrics.Counts.Count);
        Assert.Equal(2 * others.Length, metrics.Counts.Max(found => found.Value.Exchanges));
        Assert.Equal(others.Length, metrics.Counts.Count(found => found.Value.Exchanges == 2));
    }

    [Fact]
    public async Task The_number_of_series_is_bounded_and_nothing_is_lost_beyond_it()
    {
        const int Exchanges = 10_000;
        var metrics = new ExchangeMetrics(capacity: 100);
        for (var i = 0; i < Exchanges; i++)
        {
            await AddAsync(metrics, TestRecords.Ingress with
            {
                Api = $"api-{i}",
                Endpoint = $"/{i}",
                Consumer = new Consumer($"c{i}", $"t{i}", $"e{i}"),
                Method = $"M{i}",
                Code = $"code_{i}",
                Status = 100 + (i % 900),
                Outcome = (Outcome)(1 + (i % 4)),
                Direction = (Direction)(i % 2),
                Host = $"host-{i}.test",
            });
        }

        // 100 of their own; then 2 directions, 4 outcomes, 9 classes of status.
        Assert.InRange(metrics.Counts.Count, 100, 180);
        Assert.InRange(metrics.Durations.Count, 25, 25 + 80);
        Assert.InRange(metrics.Phases.Count, 10, 12);
        Assert.Equal(Exchanges, metrics.Counts.Sum(found => found.Value.Exchanges));
        Assert.Equal(Exchanges, metrics.Durations.Sum(found => found.Value.Total.Count));
        Assert.Equal(Exchanges, metrics.Phases.Sum(found => found.Value.Policies.Count));
        Assert.Equal(Exchanges - 100, metrics.FoldedCounts);
        Assert.Equal(Exchanges - 10, metrics.FoldedHistograms);
        Assert.All(metrics.Counts.Where(found => found.Key.Status < 10), found => Assert.Equal(SeriesKey.Other, found.Key.Api));
    }

    [Fact]
    public async Task A_host_becomes_a_label_only_on_egress_and_when_it_was_reached()
    {
        var metrics = new ExchangeMetrics();
        await AddAsync(metrics,
            TestRecords.Ingress with { Host = "made-up.test" },
            TestRecords.Egress with { Api = "", Host = "reached.test" },
            TestRecords.Egress with { Api = "", Host = "::1", Port = 8443 },
            TestRecords.Egress with { Api = "", Host = "refused.test", Outcome = Outcome.Rejected, Status = 403 },
            TestRecords.Egress with { Api = "", Host = "no-such-host.test", Outcome = Outcome.Failed, Status = 502 },
            TestRecords.Egress with { Host = "listed.test", Outcome = Outcome.Failed, Status = 502 });

        Assert.Equal(["", "[::1]:8443", "listed.test", "other", "reached.test"], metrics.Counts.Select(found => found.Key.Host).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Unlisted_hosts_do_not_become_labels_without_bound()
    {
        var metrics = new ExchangeMetrics();
        for (var i = 0; i < 1_000; i++)
        {
            await AddAsync(metrics, TestRecords.Egress with { Api = "", Host = $"host-{i}.test" });
        }

        Assert.Equal(101, metrics.Counts.Select(found => found.Key.Host).Distinct().Count());
        Assert.Equal(900, metrics.FoldedHosts);
    }

    [Fact]
    public async Task A_method_that_a_client_made_up_is_no_label()
    {
        var metrics = new ExchangeMetrics();
        await AddAsync(metrics, TestRecords.Ingress with { Method = "BREW" }, TestRecords.Ingress with { Method = "get" });

        Assert.Equal(SeriesKey.Other, Assert.Single(metrics.Counts).Key.Method);
    }

    [Fact]
    public async Task What_policies_would_have_refused_is_counted()
    {
        var metrics = new ExchangeMetrics();
        await AddAsync(metrics, TestRecords.Ingress with { Observed = [new PolicyDecision("access", "consumer_not_allowed")] }, TestRecords.Ingress with { Observed = [new PolicyDecision("access", "consumer_not_allowed")] });

        var (key, count) = Assert.Single(metrics.Observed);
        Assert.Equal(("orders", "access", "consumer_not_allowed", 2), (key.Api, key.Decision.Policy, key.Decision.Code, count));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.5, 0)]
    [InlineData(0.5001, 1)]
    [InlineData(1000, 12)]
    [InlineData(60_000, 18)]
    [InlineData(60_001, 19)]
    public void A_duration_belongs_into_the_first_bucket_whose_bound_it_is_not_above(double milliseconds, int bucket)
    {
        var histogram = new BucketHistogram();
        histogram.Observe(TimeSpan.FromMilliseconds(milliseconds));

        Assert.Equal(bucket, histogram.Counts.IndexOf(1));
        Assert.Equal(1, histogram.Count);
    }

    [Fact]
    public void Exchanges_in_flight_are_those_that_began_less_those_that_ended()
    {
        var inFlight = new ExchangesInFlight();
        Parallel.For(0, 1_000, i =>
        {
            inFlight.Enter(Direction.Egress);
            inFlight.Enter(Direction.Ingress);
            if (i % 2 == 0)
            {
                inFlight.Leave(Direction.Ingress);
            }
        });

        Assert.Equal((1_000, 500), (inFlight.Count(Direction.Egress), inFlight.Count(Direction.Ingress)));
    }

    private static async Task AddAsync(ExchangeMetrics metrics, params ExchangeRecord[] records) => await metrics.WriteAsync(records, TestContext.Current.CancellationToken);
}
