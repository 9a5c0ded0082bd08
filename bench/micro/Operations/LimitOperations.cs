using System.Net;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Learning;
using Tidegate.Policies.Limits.Prices;
using Tidegate.Policies.Limits.Shares;
using Tidegate.Transport;

namespace Tidegate.Benchmarks.Operations;

/// <summary>What being held to limits costs an exchange that passes, and one that does not.</summary>
internal static class LimitOperations
{
    private static readonly KeyPart Consumer = new(KeyPartKind.Consumer);

    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("limits: one rate", () => Start(Rate("a"))),
        ("limits: one rate per consumer", () => Start(Rate("a") with { Per = (KeyPart[])[Consumer] })),
        ("limits: four", () => Start(Four())),
        ("limits: one rate, shared", () => Start(Shared(Rate("a")))),
        ("limits: four, shared", () => Start(Shared(Rate("a") with { Per = (KeyPart[])[Consumer] }), Shared(Rate("b") with { Kind = LimitKind.TokenBucket, Burst = 1_000_000_000 }), Shared(Quota("c")), Shared(Concurrency("d")))),
        ("limits: four, shared and nearly used up", NearlyUsedUp),
        ("limits: refused", Refused),
        ("limits: cost found in 8 KB that pass", ContentCost),
        ("limits: learning", Learning),
        ("cost: per request", () => Priced(new PriceScale([new PriceTier(PriceTier.NoEnd, 0.002m, 1, "")], null), null)),
        ("cost: per request, in tiers", () => Priced(new PriceScale([new PriceTier(1_000, 0.002m, 1, ""), new PriceTier(PriceTier.NoEnd, 0.001m, 1, "")], MonthlyUse.OfWhole(new LimitStore(TimeProvider.System), "api", "requests")), null)),
        ("cost: per byte", () => Priced(null, new PriceScale([new PriceTier(PriceTier.NoEnd, 0.09m, 1 << 30, "")], null))),
    ];

    /// <summary>One of each kind.</summary>
    public static LimitsPolicy Four() =>
        Make(Rate("a") with { Per = (KeyPart[])[Consumer] }, Rate("b") with { Kind = LimitKind.TokenBucket, Burst = 1_000_000_000 }, Quota("c"), Concurrency("d")).Policy;

    private static LimitSettings Rate(string name) => new() { Name = name, Kind = LimitKind.Rate, Amount = 1_000_000_000, Period = TimeSpan.FromSeconds(1), Text = "1000000000/s" };

    private static LimitSettings Quota(string name) => new() { Name = name, Kind = LimitKind.Quota, Amount = 1L << 40, Calendar = new CalendarPeriod(CalendarUnit.Month, TimeZoneInfo.Utc), Text = "1099511627776/month" };

    private static LimitSettings Concurrency(string name) => new() { Name = name, Kind = LimitKind.Concurrency, Amount = 100, Text = "100 in flight" };

    /// <summary>The number stands behind a long text, as in an answer of a language model.</summary>
    private static Action ContentCost()
    {
        var content = System.Text.Encoding.UTF8.GetBytes("""{"id":"x","choices":[{"message":{"role":"assistant","content":"TEXT"}}],"usage":{"prompt_tokens":12,"total_tokens":345}}""".Replace("TEXT", new string('x', 8_000), StringComparison.Ordinal));
        var scanner = new JsonCostScanner(JsonPointer.TryParse("/usage/total_tokens")!);
        return () =>
        {
            scanner.Restart();
            scanner.Read(content);
            if (scanner.Cost != 345)
            {
                throw new InvalidOperationException("The cost was not found.");
            }
        };
    }

    private static Action Priced(PriceScale? perRequest, PriceScale? perByte)
    {
        var policy = new CostPolicy([new PriceList { FromTicks = 0, Currency = "USD", Billed = BilledCalls.Attempts, PerRequest = perRequest, PerByte = perByte, Text = "" }], TimeProvider.System);
        var exchange = Make().Exchange;
        var content = new RepeatedContent();
        var buffer = new byte[RepeatedContent.Bytes];
        ExchangeHandler next = exchange =>
        {
            exchange.Attempts++;
            exchange.WasSent = true;
            content.HasPassed = false;
            exchange.ResponseBody = content;
            exchange.Answer(Outcome.Forwarded, 200);
            return default;
        };
        return () =>
        {
            exchange.Reset();
            AllOperations.Completed(policy.InvokeAsync(exchange, next));
            AllOperations.Completed(ReadAsync(exchange.ResponseBody, buffer));
            exchange.EndAnswer(downTo: 0);
            if (!exchange.Cost.IsKnown || exchange.Cost.Amount == 0)
            {
                throw new InvalidOperationException("The exchange cost nothing.");
            }
        };
    }

    private static LimitSettings Shared(LimitSettings settings) => settings with
    {
        Shares = new ShareSettings(new KeyPart(KeyPartKind.Environment), [new("production", 0.7, 1), new("batch", 0.1, 0.5), new(ShareTerms.Others, 0, 1)]),
    };

    /// <summary>So little is free that it must be looked up what is kept for others.</summary>
    private static Action NearlyUsedUp()
    {
        var settings = (LimitSettings[])[Shared(Rate("a")), Shared(Rate("b")), Shared(Quota("c")), Shared(Concurrency("d"))];
        var store = new LimitStore(TimeProvider.System);
        var limits = settings.Select(limit => new Limit(limit with { Amount = 1L << 40, Period = TimeSpan.FromDays(1) }, "api", store.Secret, store.Time)).ToList();
        foreach (var limit in limits)
        {
            store.Cells.Charge(limit.AlgorithmOf(2), limit.OnlyKey, 1L << 38, store.Time.GetTimestamp());
        }

        return Start(new LimitsPolicy(PolicyStage.Attempt, limits, store, queue: null, QueueSettings.Default));
    }

    private static Action Start(params LimitSettings[] settings)
    {
        return Start(Make(settings).Policy);
    }

    private static Action Start(LimitsPolicy policy)
    {
        var exchange = Make().Exchange;
        ExchangeHandler next = static _ => default;
        return () =>
        {
            AllOperations.Completed(policy.InvokeAsync(exchange, next));
            exchange.EndAnswer(downTo: 0);
        };
    }

    private static Action Refused()
    {
        var (policy, exchange) = Make(Rate("a") with { Amount = 1, Period = TimeSpan.FromDays(1) });
        ExchangeHandler next = static _ => default;
        return () =>
        {
            exchange.Reset();
            AllOperations.Completed(policy.InvokeAsync(exchange, next));
        };
    }

    /// <summary>A provider that tells of two windows in every answer, as language models do.</summary>
    private static Action Learning()
    {
        var store = new LimitStore(TimeProvider.System);
        var (_, exchange) = Make();
        var policy = new LimitsPolicy(PolicyStage.Attempt, [], store, queue: null, QueueSettings.Default, new ProviderLearning(new LearningSettings { PerCredential = true }, store.ProviderOf("api"), store));
        exchange.RequestHeaders.Add(KnownHeader.Authorization, "Bearer of-the-usual-length-of-a-providers-key-1234");

        // So much that millions of calls in a second do not use it up: once refused, the exchange would stay so, and nothing be learned any more.
        foreach (var (name, value) in ((string, string)[])
            [("Content-Type", "application/json"), ("Date", "Sun, 01 Mar 2026 12:00:00 GMT"), ("x-ratelimit-limit-requests", "900000000000"), ("x-ratelimit-remaining-requests", "899999999999"), ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-limit-tokens", "900000000000"), ("x-ratelimit-remaining-tokens", "899999999976"), ("x-ratelimit-reset-tokens", "9ms"), ("Server", "x"), ("Vary", "Origin")])
        {
            exchange.ResponseHeaders.Add(name, value);
        }

        exchange.Answer(Outcome.Forwarded, 200);
        ExchangeHandler next = static _ => default;
        return () =>
        {
            AllOperations.Completed(policy.InvokeAsync(exchange, next));
            if (exchange.Outcome != Outcome.Forwarded)
            {
                throw new InvalidOperationException("The call was refused.");
            }
        };
    }

    private static (LimitsPolicy Policy, Exchange Exchange) Make(params LimitSettings[] settings)
    {
        var store = new LimitStore(TimeProvider.System);
        var policy = new LimitsPolicy(PolicyStage.Attempt, [.. settings.Select(limit => new Limit(limit, "api", store.Secret, store.Time))], store, queue: null, QueueSettings.Default);
        return (policy, new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Consumer = new Consumer("billing", "acme", "production") });
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private static async ValueTask ReadAsync(MessageBody content, byte[] buffer)
    {
        if (await content.ReadAsync(buffer, CancellationToken.None) != buffer.Length)
        {
            throw new InvalidOperationException("The content is cut off.");
        }
    }

    /// <summary>The same short content each time.</summary>
    private sealed class RepeatedContent : MessageBody
    {
        public const int Bytes = 1_000;

        public bool HasPassed { get; set; }

        public override long? Length => Bytes;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var read = HasPassed ? 0 : Bytes;
            HasPassed = true;
            return new ValueTask<int>(read);
        }
    }
}
