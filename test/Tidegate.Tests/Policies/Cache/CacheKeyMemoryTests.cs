using System.Net;
using Tidegate.Benchmarks.Allocations;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>A target that comes again is one object, which remembers its key: it must be the key that would be computed.</summary>
public sealed class CacheKeyMemoryTests
{
    private static readonly CacheSettings[] Settings =
    [
        new CacheSettings { Api = "a", Partition = CachePartition.None },
        new CacheSettings { Api = "b", Partition = CachePartition.None },
        new CacheSettings { Api = "a", Partition = CachePartition.Credential },
        new CacheSettings { Api = "a", Partition = CachePartition.Credential, InjectedCredential = 7 },
        new CacheSettings { Api = "a", Partition = CachePartition.Consumer },
        new CacheSettings { Api = "a", Partition = CachePartition.None, KeyHeaders = new[] { "Accept-Language"u8.ToArray() } },
        new CacheSettings { Api = "a", Partition = CachePartition.None, KeysBody = true },
    ];

    private static readonly string[] Fields = ["", "Authorization: Bearer one", "Authorization: Bearer two", "Accept-Language: de", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http", "X-Forwarded-Proto: HTTPS"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_else_a_request_brings_its_key_is_that_of_a_target_that_remembers_nothing(int seed)
    {
        var random = new Random(seed);
        var targets = new ExchangeTarget[] { new("https", "api.test", 443, "/a", null), new("https", "api.test", 443, "/b", "x=1"), new("http", "api.test", 80, "/a", null) };
        var routes = Settings.SelectMany(settings => new UInt128[] { 1, 2 }.Select(secret => (Settings: settings, Parts: CacheKeyParts.Of(settings, secret)))).ToArray();
        var keys = new HashSet<UInt128>();
        for (var i = 0; i < 20_000; i++)
        {
            ref var target = ref targets[random.Next(targets.Length)];
            if (random.Next(50) == 0)
            {
                // As who changes a request does; the copy brings along what was remembered.
                target = target with { Path = random.Next(2) == 0 ? "/a" : "/c" };
            }

            var route = routes[random.Next(routes.Length)];
            var exchange = Request(random, target);
            var fresh = Request(random, target);
            fresh.Target = new ExchangeTarget(target.Scheme, target.Host, target.Port, target.Path, target.Query);
            fresh.Method = exchange.Method;
            fresh.BasePath = exchange.BasePath;
            fresh.Consumer = exchange.Consumer;
            fresh.RequestHeaders.Clear();
            for (var field = 0; field < exchange.RequestHeaders.Count; field++)
            {
                fresh.RequestHeaders.Add(exchange.RequestHeaders[field].Name, exchange.RequestHeaders[field].Value);
            }

            var key = CacheKey.Of(exchange, route.Settings, route.Parts);

            Assert.Equal(CacheKey.Of(fresh, route.Settings, route.Parts), key);
            keys.Add(key!.Value.Value);
        }

        Assert.True(keys.Count > 100, $"Only {keys.Count} different keys.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void A_target_that_comes_by_a_few_routes_in_turn_costs_no_memory_by_any(int count)
    {
        var routes = Routes(count);
        var exchange = Plain(new ExchangeTarget("https", "api.test", 443, "/a", null));
#if DEBUG
        const long Allowed = long.MaxValue;
#else
        const long Allowed = 0;
#endif
        Assert.InRange(AllocationMeter.Measure(AskByEach, Allowed, TimeSpan.FromSeconds(10)), 0, Allowed);

        void AskByEach()
        {
            foreach (var (settings, parts) in routes)
            {
                _ = CacheKey.Of(exchange, settings, parts);
            }
        }
    }

    [Fact]
    public void Whatever_configurations_come_after_one_another_a_target_keeps_few_keys()
    {
        var exchange = Plain(new ExchangeTarget("https", "api.test", 443, "/a", null));
        for (var i = 0; i < 100; i++)
        {
            foreach (var (settings, parts) in Routes(3))
            {
                _ = CacheKey.Of(exchange, settings, parts);
            }

            Assert.InRange(Kept(exchange.Target), i == 0 ? 0 : 1, 4);
        }

        static int Kept(ExchangeTarget target) => target.Keyed.Found is KnownKey known ? known.Count : 0;
    }

    [Fact]
    public async Task Whoever_asks_at_the_same_time_by_another_route_gets_the_key_of_its_own()
    {
        // One more than are kept, so that what is kept changes all the time.
        var routes = Routes(5).Select(route => (route.Settings, route.Parts, Key: CacheKey.Of(Plain(New()), route.Settings, route.Parts)!.Value)).ToArray();
        Assert.Equal(5, routes.Select(static route => route.Key.Value).Distinct().Count());
        for (var round = 0; round < 20; round++)
        {
            var target = New();
            await Task.WhenAll(Enumerable.Range(0, 4).Select(seed => Task.Run(() => Ask(target, seed), TestContext.Current.CancellationToken)));
        }

        void Ask(ExchangeTarget target, int seed)
        {
            var random = new Random(seed);
            var exchange = Plain(target);
            for (var i = 0; i < 5000; i++)
            {
                var (settings, parts, key) = routes[random.Next(routes.Length)];
                Assert.Equal(key, CacheKey.Of(exchange, settings, parts));
            }
        }

        static ExchangeTarget New() => new("https", "api.test", 443, "/a", null);
    }

    private static (CacheSettings Settings, CacheKeyParts Parts)[] Routes(int count) =>
        [.. Enumerable.Range(0, count).Select(static i => new CacheSettings { Api = "api" + i, Partition = CachePartition.None }).Select(static settings => (settings, CacheKeyParts.Of(settings, 1)))];

    private static Exchange Plain(ExchangeTarget target)
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Method = "GET", Target = target };
        exchange.RequestHeaders.Add("X-Forwarded-Proto", target.Scheme);
        return exchange;
    }

    private static Exchange Request(Random random, ExchangeTarget target)
    {
        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = null!,
            Method = random.Next(4) switch { 0 => "HEAD", 1 => "POST", _ => "GET" },
            Target = target,
            BasePath = random.Next(5) == 0 ? "/base" : null,
            Consumer = random.Next(3) == 0 ? new Consumer("ana", "", "") : Consumer.Anonymous,
        };
        var line = Fields[random.Next(Fields.Length)];
        if (line.Length > 0)
        {
            exchange.RequestHeaders.Add(line[..line.IndexOf(':', StringComparison.Ordinal)], line[(line.IndexOf(':', StringComparison.Ordinal) + 2)..]);
        }

        if (random.Next(2) == 0)
        {
            exchange.RequestHeaders.Add("X-Forwarded-Proto", target.Scheme);
        }

        return exchange;
    }
}
