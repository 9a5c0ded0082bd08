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

    // What a pack cannot know of an account, and what is called there. Behind a slash is another account of the same provider.
    private static readonly Dictionary<string, Account> Accounts = new()
    {
        ["anthropic"] = new(new([Calls("requests", 50), Tokens("input-tokens", 30_000, ProviderUnit.InputTokens), Tokens("output-tokens", 8_000, ProviderUnit.OutputTokens)], Reset: ProviderReset.Rfc3339), 1_500),
        ["anthropic/long questions"] = new(new([Calls("requests", 1_000), Tokens("input-tokens", 50_000, ProviderUnit.InputTokens), Tokens("output-tokens", 100_000, ProviderUnit.OutputTokens)], Reset: ProviderReset.Rfc3339), 3_700),
        ["anthropic/small ones"] = new(new([Calls("requests", 50), Tokens("tokens", 1_000_000, ProviderUnit.Tokens)], Reset: ProviderReset.Rfc3339), 3_000),
        ["azure-openai"] = new(new([Calls("requests", 120), Tokens("tokens", 20_000)], ProviderFields.Named), 1_000),
        ["azure-openai/small ones"] = new(new([Calls("requests", 120), Tokens("tokens", 1_000_000)], ProviderFields.Named), 7_200),
        ["cloudflare"] = new(new([new("rate", 1200, TimeSpan.FromMinutes(5), ProviderCounting.Window)], ProviderFields.Structured), 14_400),
        ["discord"] = new(new([new("route", 5, TimeSpan.FromSeconds(5), ProviderCounting.Window)], ProviderFields.ResetAfter), 3_600, "POST /api/v10/channels/123/messages"),
        ["github"] = new(new([new("rate", 5000, Hour, ProviderCounting.Window)], ProviderFields.XRateLimit, ProviderReset.EpochSeconds), 5_000, "GET /repos/a/b", "GET /users/c", "DELETE /repos/a/b/issues/4"),
        ["github/writers"] = new(new([new("rate", 5000, Hour, ProviderCounting.Window)], ProviderFields.XRateLimit, ProviderReset.EpochSeconds), 2_000, "POST /repos/a/b/issues", "PATCH /repos/a/b/issues/4", "PUT /repos/a/b/contents/c", "GET /repos/a/b", "POST /graphql"),
        ["google"] = new(new([new("quota", 60, TimeSpan.FromMinutes(1), ProviderCounting.Log)]), 3_600) { Written = new LimitConfig { Rate = "60/m" } },
        ["groq"] = new(new([new("requests", 14_400, TimeSpan.FromDays(1), ProviderCounting.Bucket), Tokens("tokens", 6_000)], Reset: ProviderReset.Duration), 330),
        ["groq/small ones"] = new(new([new("requests", 1_440, TimeSpan.FromDays(1), ProviderCounting.Bucket), Tokens("tokens", 1_000_000)], Reset: ProviderReset.Duration), 1_500),
        ["hubspot"] = new(new([new("interval", 100, TimeSpan.FromSeconds(10), ProviderCounting.Window)]), 36_000),
        ["openai"] = new(new([Calls("requests", 500), Tokens("tokens", 30_000)], ProviderFields.Named, ProviderReset.Duration), 1_600),
        ["openai/a large plan"] = new(new([Calls("requests", 5_000), Tokens("tokens", 450_000)], ProviderFields.Named, ProviderReset.Duration), 24_000),
        ["openai/small ones"] = new(new([Calls("requests", 500), Tokens("tokens", 10_000_000)], ProviderFields.Named, ProviderReset.Duration), 30_000),
        ["salesforce"] = new(new([new("api-usage", 1000, TimeSpan.FromDays(1), ProviderCounting.Bucket)]), 1_040),
        ["sendgrid"] = new(new([new("endpoint", 600, TimeSpan.FromMinutes(1), ProviderCounting.Window)], ProviderFields.XRateLimit, ProviderReset.EpochSeconds), 36_000),
        ["shopify"] = new(new([new("shop", 40, TimeSpan.FromSeconds(20), ProviderCounting.Bucket)]), 7_240),
        ["slack"] = new(new([]), 13_200, "POST /api/conversations.history", "POST /api/chat.update", "POST /api/users.info", "GET /api/users.list"),
        ["stripe"] = new(new([]), 360_000, [.. Enumerable.Range(1, 8).Select(resource => $"POST /v1/resource{resource}/x"), "GET /v1/charges/ch_1", "GET /v1/charges"]),
        ["stripe/searches and files"] = new(new([]), 250_000, "GET /v1/charges/search", "GET /v1/customers/search", "GET /v1/files", "POST /v1/files"),
        ["twilio"] = new(new([new("account", 10, TimeSpan.FromSeconds(1), ProviderCounting.Concurrency)]) { CallTime = TimeSpan.FromSeconds(1) }, 36_000) { Written = new LimitConfig { Concurrency = 10 } },
        ["zendesk"] = new(new([new("account", 700, TimeSpan.FromMinutes(1), ProviderCounting.Window)]), 42_000),
    };

    public static TheoryData<string> AccountNames => [.. Accounts.Keys];

    [Theory]
    [MemberData(nameof(AccountNames))]
    public async Task Nothing_goes_beyond_what_the_provider_allows_and_nearly_all_of_it_is_used(string name)
    {
        // Where calls are of different sizes, what happens depends on which come when.
        for (var seed = 1; seed <= (Accounts[name].HasTokens ? 8 : 1); seed++)
        {
            var provider = await RunAsync(name, seed);

            Assert.True(provider.Violations.Count == 0, $"{provider.Violations.Count} calls went beyond with seed {seed}: {string.Join(", ", provider.Violations.CountBy(window => window))}; {provider.Served} served, {provider.Utilisation(Hour)}");
            var (share, window) = provider.Utilisation(Hour);
            Assert.True(share is >= 0.97 and <= 1.0001, $"{share:0.000} of {window} with seed {seed}");
        }
    }

    [Fact]
    public void Every_pack_has_an_account()
    {
        Assert.Equal(new ProviderPacks().All.Select(pack => pack.Name).Order(), Accounts.Keys.Select(PackOf).Distinct().Order());
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

    private static async Task<ProviderSimulator> RunAsync(string name, int seed)
    {
        var pack = new ProviderPacks().Find(PackOf(name))!;
        var account = Accounts[name];
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, 250, TimeSpan.Zero));
        using var store = new LimitStore(time);
        var provider = new ProviderSimulator(pack, account.Provider, time, clockSkew: TimeSpan.FromSeconds(90));
        var policy = Policy(pack, account.Written, store);
        var offered = 10 * account.CallsAnHour / Hour.TotalSeconds;
        var step = TimeSpan.FromSeconds(Math.Clamp(1 / offered, 0.01, 0.05));
        var host = pack.Hosts[0].Replace("*", "shop", StringComparison.Ordinal);
        var events = new PriorityQueue<Action, long>();
        var random = new Random(seed);
        var end = time.GetUtcNow() + Hour;
        var due = 0.0;
        while (time.GetUtcNow() < end)
        {
            for (due += offered * step.TotalSeconds; due >= 1; due--)
            {
                var exchange = Call(host, account.Calls[random.Next(account.Calls.Length)]);
                var usage = account.Usage(name, random);
                var call = policy.InvokeAsync(exchange, passed =>
                {
                    var head = new TaskCompletionSource();
                    provider.Serve(passed, usage, Way);
                    var latency = Way + TimeSpan.FromMilliseconds(random.Next(20, account.HasTokens ? 1_500 : 60));
                    var rest = account.HasConcurrency(pack) ? account.Provider.CallTime - latency : account.HasTokens ? TimeSpan.FromMilliseconds(random.Next(100, 4_000)) : TimeSpan.Zero;
                    events.Enqueue(head.SetResult, (time.GetUtcNow() + latency).Ticks);
                    events.Enqueue(
                        () =>
                        {
                            provider.Ended(passed, usage);
                            passed.EndAnswer(downTo: 0);
                        },
                        (time.GetUtcNow() + latency + rest).Ticks + 1);
                    return new ValueTask(head.Task);
                });
                Assert.True(call.IsCompletedSuccessfully || exchange.Rejection is null);
                if (exchange.Rejection is not null)
                {
                    await call;
                }
            }

            time.Advance(step);
            while (events.TryPeek(out var next, out var at) && at <= time.GetUtcNow().Ticks)
            {
                events.Dequeue();
                next();
            }
        }

        return provider;
    }

    private static string PackOf(string account) => account.Split('/')[0];

    private static ProviderWindow Calls(string name, int amount) => new(name, amount, TimeSpan.FromMinutes(1), ProviderCounting.Bucket);

    private static ProviderWindow Tokens(string name, int amount, ProviderUnit unit = ProviderUnit.Tokens) => new(name, amount, TimeSpan.FromMinutes(1), ProviderCounting.Bucket, unit);

    /// <summary>As the compiler makes it from an API of that provider, with refusals in place of waits: they need no thread.</summary>
    private static LimitsPolicy Policy(ProviderPackConfig pack, LimitConfig? written, LimitStore store)
    {
        var problems = new List<ConfigProblem>();
        var positions = new ConfigPositions();
        IReadOnlyList<LimitConfig> limits = written is null
            ? [.. ProviderCompiler.LimitsOf(pack).Select(limit => limit with { WhenExceeded = WhenExceeded.Reject })]
            : [written];
        var api = new ApiConfig { Name = pack.Name, Direction = Direction.Egress, Hosts = pack.Hosts, Provider = pack.Name, Limits = limits };
        var policies = new LimitCompiler(positions, problems, store, new ProviderCompiler(positions, problems, new ProviderPacks()), []).Compile(api, null).ToList();
        Assert.Empty(problems);
        return (LimitsPolicy)Assert.Single(policies);
    }

    private static Exchange Call(string host, string call = "POST /v1/messages") => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
        Client = null!,
        Method = call.Split(' ')[0],
        Target = new ExchangeTarget("https", host, 443, call.Split(' ')[1], null),
    };

    /// <param name="Provider">What it may do.</param>
    /// <param name="CallsAnHour">About as many as it may; ten times that are offered.</param>
    /// <param name="Called">What is called; anything when it is all the same.</param>
    private sealed record Account(ProviderAccount Provider, int CallsAnHour, params string[] Called)
    {
        /// <summary>What a user writes at the API, where the provider neither publishes a limit nor tells of one.</summary>
        public LimitConfig? Written { get; init; }

        public string[] Calls => Called.Length > 0 ? Called : ["POST /v1/messages"];

        public bool HasTokens => Provider.Windows.Any(window => window.Unit != ProviderUnit.Calls);

        public bool HasConcurrency(ProviderPackConfig pack) => Provider.Windows.Any(window => window.Counting == ProviderCounting.Concurrency) || pack.Limits.Any(limit => limit.Concurrency is not null);

        /// <summary>From a few tokens to fifteen hundred, and of the answer a fifth to all of what was asked for.</summary>
        public ProviderUsage Usage(string name, Random random)
        {
            if (!HasTokens || name.EndsWith("small ones", StringComparison.Ordinal))
            {
                return new ProviderUsage(5, 10, 8);
            }

            var most = random.Next(64, 1_024);
            return new ProviderUsage(random.Next(100, 1_500), most, (int)(most * (0.2 + (0.8 * random.NextDouble()))));
        }
    }
}
