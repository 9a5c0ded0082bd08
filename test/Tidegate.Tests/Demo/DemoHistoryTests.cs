using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Host.Demo;
using Tidegate.Host.Demo.Callers;
using Tidegate.Host.Demo.History;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Demo;

/// <summary>The hour before the demo: in time, by the demo's own configuration, and with what one wants to see.</summary>
public sealed class DemoHistoryTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 26, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task The_hour_before_has_everything_that_the_pages_show()
    {
        var records = await RecordsAsync(TimeSpan.FromHours(1));

        Assert.InRange(records.Count, 40_000, 120_000);
        Assert.All(records, record => Assert.InRange(record.Started, Now.AddHours(-1), Now));
        Assert.True(records.Zip(records.Skip(1)).All(pair => pair.First.Started <= pair.Second.Started));
        Assert.Equal(records.Count, records.Select(record => record.Id).Distinct().Count());
        Assert.Equal(["", "assistant", "catalogue", "hooks", "orders-api", "payments", "shipping"], records.Select(record => record.Api).Distinct().Order(StringComparer.Ordinal));
        foreach (var outcome in (Outcome[])[Outcome.Forwarded, Outcome.ServedFromCache, Outcome.ServedFromFallback, Outcome.Rejected, Outcome.Failed])
        {
            Assert.Contains(records, record => record.Outcome == outcome);
        }

        Assert.Contains(records, record => record is { Api: "payments", Status: 201, Cost: { Amount: 0.04m, Currency: "EUR" } });
        Assert.Contains(records, record => record is { Api: "payments", Queue.Ticks: > 0 });
        Assert.Contains(records, record => record is { Api: "shipping", Endpoint: "rates", Outcome: Outcome.ServedFromFallback });
        Assert.Contains(records, record => record is { Api: "assistant", Cost: { Currency: "USD", Amount: > 0, Unknown: 0 } });
        Assert.Contains(records, record => record is { Api: "assistant", Outcome: Outcome.Failed, Cost.Amount: 0 });
        Assert.Contains(records, record => record is { Host: "telemetry.toolmaker.example", Code: "host_not_listed" });
        Assert.Contains(records, record => record is { Code: "credential_unknown", Direction: Direction.Ingress });

        // Called as the gateway itself calls it, or a chart of reasons shows what happened before the start and after it as two things.
        Assert.All(records.Where(record => record.Outcome == Outcome.Rejected), record => Assert.Contains(record.Reason, (string[])["routing", "authenticate", "access", "limits", "circuit_breaker", "adaptive_throttle", "adaptive_concurrency", "webhook"]));

        Assert.Contains(records, record => record is { Api: "catalogue", Attempts: 2, Status: 200 });
        Assert.Contains(records, record => record is { Api: "hooks", Status: 204, Consumer.Name: "anonymous" });
        Assert.Contains(records, record => record is { Api: "hooks", Code: "webhook_signature_wrong" });
        Assert.DoesNotContain(records, record => record.Outcome == Outcome.ServedFromCache && record.Cache == CacheResult.Hit && record.Cost != ExchangeCost.None);
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_hour()
    {
        var one = await RecordsAsync(TimeSpan.FromMinutes(2));
        var other = await RecordsAsync(TimeSpan.FromMinutes(2));

        Assert.Equal(one.Select(record => (record.Started, record.Path, record.Status, record.Total)), other.Select(record => (record.Started, record.Path, record.Status, record.Total)));
    }

    private static async Task<List<ExchangeRecord>> RecordsAsync(TimeSpan length)
    {
        var time = new FakeTimeProvider(Now);
        using var directory = new DemoDirectory();
        directory.Create(time);
        var port = 1;
        foreach (var name in (string[])["payments", "shipping", "catalogue", "catalogue-us", "assistant", "orders-1", "orders-2", "egress", "ingress", "admin"])
        {
            directory.WritePort(name, port++);
        }

        directory.CreateThirdPartyCertificate(["api.payments.example"], time).Dispose();
        await using var forwarder = new Forwarder(time);
        var (compiled, problems) = SnapshotCompiler.Compile(ConfigurationLoader.Load(directory.Configuration), new CompilerServices(forwarder, time));
        Assert.Empty(problems);
        return [.. new DemoHistory(compiled!, new CallPlan(1, CallPlan.Everybody), 1).Batches(Now, length, TimeSpan.Zero).SelectMany(batch => batch)];
    }
}
