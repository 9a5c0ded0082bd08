using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Policies.Limits.Learning;

/// <summary>Every pack against a provider made from it, for a virtual hour of ten times what the provider allows: nothing goes beyond, and next to nothing is left over.</summary>
public sealed class ProviderPackTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Way = TimeSpan.FromMilliseconds(20);

    // What a pack cannot know of an account. Limits in text are written at the API: those providers tell of nothing before they refuse.
    private static readonly Dictionary<string, (ProviderAccount Account, string? Written)> Accounts = new()
    {
        ["anthropic"] = (new(50, TimeSpan.FromMinutes(1), ProviderCounting.Bucket, Reset: ProviderReset.Rfc3339), null),
        ["azure-openai"] = (new(120, TimeSpan.FromMinutes(1), ProviderCounting.Bucket, ProviderFields.Requests, ProviderReset.Seconds), null),
        ["cloudflare"] = (new(1200, TimeSpan.FromMinutes(5), ProviderCounting.Window, ProviderFields.Structured), null),
        ["discord"] = (new(5, TimeSpan.FromSeconds(5), ProviderCounting.Window, ProviderFields.ResetAfter), null),
        ["github"] = (new(5000, TimeSpan.FromHours(1), ProviderCounting.Window, ProviderFields.XRateLimit, ProviderReset.EpochSeconds), null),
        ["google"] = (new(60, TimeSpan.FromMinutes(1), ProviderCounting.Log), "60/m"),
        ["groq"] = (new(1440, TimeSpan.FromDays(1), ProviderCounting.Bucket, Reset: ProviderReset.Duration), null),
        ["hubspot"] = (new(100, TimeSpan.FromSeconds(10), ProviderCounting.Window), null),
        ["openai"] = (new(500, TimeSpan.FromMinutes(1), ProviderCounting.Bucket, ProviderFields.Requests, ProviderReset.Duration), null),
        ["salesforce"] = (new(1000, TimeSpan.FromDays(1), ProviderCounting.Bucket), null),
        ["sendgrid"] = (new(600, TimeSpan.FromMinutes(1), ProviderCounting.Window, ProviderFields.XRateLimit, ProviderReset.EpochSeconds), null),
        ["shopify"] = (new(40, TimeSpan.FromSeconds(20), ProviderCounting.Bucket), null),
        ["slack"] = (new(50, TimeSpan.FromMinutes(1), ProviderCounting.Log), "50/m"),
        ["stripe"] = (new(100, TimeSpan.FromSeconds(1), ProviderCounting.Log), null),
        ["twilio"] = (new(10, TimeSpan.FromSeconds(1), ProviderCounting.Concurrency), "10 in flight"),
        ["zendesk"] = (new(700, TimeSpan.FromMinutes(1), ProviderCounting.Window), null),
    };

    public static TheoryData<string> Packs => [.. new ProviderPacks().All.Select(pack => pack.Name)];

    [Theory]
    [MemberData(nameof(Packs))]
    public async Task Nothing_goes_beyond_what_the_provider_allows_and_nearly_all_of_it_is_used(string name)
    {
        var (violations, utilisation) = await RunAsync(name);

        Assert.Equal(0, violations);
        Assert.InRange(utilisation, 0.97, 1.0001);
    }

    [Fact]
    public void Every_figure_has_a_source_and_a_date()
    {
        var packs = new ProviderPacks().All.ToList();
        Assert.True(packs.Count >= 12);
        var sourced = packs.SelectMany(pack => (IEnumerable<(string Source, string AsOf)>)
        [
            .. pack.Limits.Select(limit => (limit.Source, limit.AsOf)),
            .. pack.Windows.Select(window => (window.Source, window.AsOf)),
            .. pack.Errors.Select(error => (error.Source, error.AsOf)),
            .. pack.Bucket is { } bucket ? [(bucket.Source, bucket.AsOf)] : Array.Empty<(string, string)>(),
            .. pack.Idempotency is { } idempotency ? [(idempotency.Source, idempotency.AsOf)] : Array.Empty<(string, string)>(),
        ]).ToList();

        Assert.All(sourced, figure => Assert.True(Uri.TryCreate(figure.Source, UriKind.Absolute, out _) && DateOnly.TryParseExact(figure.AsOf, "yyyy-MM-dd", out _), figure.ToString()));
        Assert.All(packs, pack => Assert.NotEmpty(pack.Hosts));
    }

    [Theory]
    [InlineData("false", true)]
    [InlineData("true", false)]
    public async Task A_refusal_of_one_bucket_is_told_from_one_of_everything(string isGlobal, bool isOfBucket)
    {
        var pack = new ProviderPacks().Find("discord")!;
        using var store = new LimitStore(new FakeTimeProvider());
        var exchange = Call("discord.com");
        await Policy(pack, written: null, store).InvokeAsync(exchange, passed =>
        {
            passed.ResponseHeaders.Add("x-ratelimit-bucket", "abcd");
            passed.ResponseHeaders.Add("x-ratelimit-global", isGlobal);
            passed.ResponseHeaders.Add(KnownHeader.RetryAfter, "5");
            passed.Answer(Outcome.Forwarded, 429);
            return default;
        });

        Assert.Equal((ProviderSignal.Throttle, isOfBucket), (exchange.Signal, exchange.IsSignalOfBucket));
    }

    private static async Task<(long Violations, double Utilisation)> RunAsync(string name)
    {
        var pack = new ProviderPacks().Find(name)!;
        var (account, written) = Accounts[name];
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, 250, TimeSpan.Zero));
        using var store = new LimitStore(time);
        var provider = new ProviderSimulator(pack, account, time, clockSkew: TimeSpan.FromSeconds(90));
        var policy = Policy(pack, written, store);
        var offered = 10 * provider.Allowance(Hour) / Hour.TotalSeconds;
        var step = TimeSpan.FromSeconds(Math.Clamp(1 / offered, 0.01, 0.05));
        var host = pack.Hosts[0].Replace("*", "shop", StringComparison.Ordinal);
        var answers = new PriorityQueue<(Exchange Exchange, TaskCompletionSource Done), long>();
        var random = new Random(7);
        var end = time.GetUtcNow() + Hour;
        var due = 0.0;
        while (time.GetUtcNow() < end)
        {
            for (due += offered * step.TotalSeconds; due >= 1; due--)
            {
                var exchange = Call(host, pack.Name, random);
                var call = policy.InvokeAsync(exchange, passed =>
                {
                    var done = new TaskCompletionSource();
                    provider.Serve(passed, Way);
                    var latency = account.Counting == ProviderCounting.Concurrency ? account.Period : Way + TimeSpan.FromMilliseconds(random.Next(20, 60));
                    answers.Enqueue((passed, done), (time.GetUtcNow() + latency).Ticks);
                    return new ValueTask(done.Task);
                });
                Assert.True(call.IsCompletedSuccessfully || exchange.Rejection is null);
                if (exchange.Rejection is not null)
                {
                    await call;
                }
            }

            time.Advance(step);
            while (answers.TryPeek(out var answer, out var at) && at <= time.GetUtcNow().Ticks)
            {
                answers.Dequeue();
                answer.Done.SetResult();
                provider.Ended();
                answer.Exchange.EndAnswer(downTo: 0);
            }
        }

        return (provider.Violations, provider.Served / provider.Allowance(Hour));
    }

    /// <summary>As the compiler makes it from an API of that provider, with refusals in place of waits: they need no thread.</summary>
    private static LimitsPolicy Policy(ProviderPackConfig pack, string? written, LimitStore store)
    {
        var problems = new List<ConfigProblem>();
        var positions = new ConfigPositions();
        IReadOnlyList<LimitConfig> limits = written is null
            ? [.. ProviderCompiler.LimitsOf(pack).Select(limit => limit with { WhenExceeded = WhenExceeded.Reject })]
            : [written.EndsWith("in flight", StringComparison.Ordinal) ? new LimitConfig { Concurrency = int.Parse(written.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) } : new LimitConfig { Rate = written }];
        var api = new ApiConfig { Name = pack.Name, Direction = Direction.Egress, Hosts = pack.Hosts, Provider = pack.Name, Limits = limits };
        var policies = new LimitCompiler(positions, problems, store, new ProviderCompiler(positions, problems, new ProviderPacks()), []).Compile(api, null).ToList();
        Assert.Empty(problems);
        return (LimitsPolicy)Assert.Single(policies);
    }

    private static Exchange Call(string host, string provider = "", Random? random = null) => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
        Client = null!,
        Method = provider == "github" ? "GET" : "POST",
        Target = new ExchangeTarget("https", host, 443, provider == "stripe" ? $"/v1/resource{random!.Next(8)}/x" : "/api/v10/channels/123/messages", null),
    };
}
