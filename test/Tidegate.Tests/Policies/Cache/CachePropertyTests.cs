using System.Globalization;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>What must hold whatever is asked in whatever order, against an upstream that numbers and dates everything that it says.</summary>
public sealed class CachePropertyTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Nothing_is_served_that_is_older_than_its_freshness_and_allowed_staleness(int seed)
    {
        var random = new Random(seed);
        var steps = new Random(seed + 1000);
        var bench = new CacheBench();
        var begun = bench.Time.GetUtcNow();
        var said = new Dictionary<string, (DateTimeOffset At, int MaxAge, int Stale)>();
        bench.Upstream = asked =>
        {
            // Refreshes ask from other threads.
            lock (said)
            {
                return AnswerAsync(asked);
            }
        };
        Task AnswerAsync(Exchange asked)
        {
            var (maxAge, stale) = (random.Next(1, 30), random.Next(0, 20));
            var mustRevalidate = random.Next(4) == 0;
            var name = said.Count.ToString(CultureInfo.InvariantCulture);
            said[name] = (bench.Time.GetUtcNow(), maxAge, mustRevalidate ? 0 : stale);
            return CacheBench.Answer(asked, 200, $"Cache-Control: max-age={maxAge}, stale-while-revalidate={stale}{(mustRevalidate ? ", must-revalidate" : "")}\nX-Said: {name}", name);
        }

        var hits = 0;
        for (var i = 0; i < 3000; i++)
        {
            bench.Time.Advance(TimeSpan.FromMilliseconds(steps.Next(0, 4000)));
            var answer = await bench.CallAsync(steps.Next(20) == 0 ? "HEAD" : "GET", "/" + steps.Next(8));
            (DateTimeOffset At, int MaxAge, int Stale) was;
            lock (said)
            {
                was = said[answer["X-Said"]!];
            }

            var (at, maxAge, stale) = was;
            var age = bench.Time.GetUtcNow() - at;
            Assert.True(age <= TimeSpan.FromSeconds(maxAge + stale), $"Step {i}: {age.TotalSeconds} s old, allowed are {maxAge} and {stale}.");
            hits += answer.IsFromStore ? 1 : 0;
        }

        Assert.InRange(hits, 300, 2990);
        Assert.True(bench.Time.GetUtcNow() > begun);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task No_answer_crosses_a_partition(int seed)
    {
        var random = new Random(seed);
        string[] credentials = ["", "Authorization: Bearer a", "Authorization: Bearer b", "X-Api-Key: a", "Cookie: s=a", "Cookie: s=b", "Api-Key: a", "Authorization: Bearer a\nCookie: s=a"];
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.Credential })
        {
            Upstream = asked =>
            {
                string[] control = ["private, max-age=20", "max-age=20, public", "s-maxage=20, max-age=20", "max-age=20"];
                return CacheBench.Answer(asked, 200, "Cache-Control: " + control[random.Next(control.Length)], Whose(asked));
            },
        };
        var hits = 0;
        for (var i = 0; i < 3000; i++)
        {
            bench.Time.Advance(TimeSpan.FromMilliseconds(random.Next(0, 2000)));
            var fields = credentials[random.Next(credentials.Length)];
            var answer = await bench.CallAsync(path: "/" + random.Next(4), fields: fields);
            Assert.Equal(Whose(CacheBench.Request(fields: fields)), answer.Content);
            hits += answer.IsFromStore ? 1 : 0;
        }

        Assert.InRange(hits, 1000, 2990);
    }

    [Fact]
    public async Task Consumers_and_injected_credentials_have_answers_of_their_own()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.Consumer })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", asked.Consumer.Name),
        };
        var (a, b) = (new Consumer("a", "", ""), new Consumer("b", "", ""));
        Assert.Equal("a", (await bench.CallAsync(consumer: a)).Content);
        Assert.Equal("b", (await bench.CallAsync(consumer: b)).Content);
        Assert.Equal("anonymous", (await bench.CallAsync()).Content);
        Assert.True((await bench.CallAsync(consumer: a)) is { IsFromStore: true, Content: "a" });

        var settings = new CacheSettings { Api = "api", Partition = CachePartition.Credential, InjectedCredential = 1 };
        var one = CacheKey.Of(CacheBench.Request(), settings, CacheKeyParts.Of(settings, 7))!.Value;
        var other = CacheKey.Of(CacheBench.Request(), settings with { InjectedCredential = 2 }, CacheKeyParts.Of(settings with { InjectedCredential = 2 }, 7))!.Value;
        Assert.True(one.IsPrivate);
        Assert.NotEqual(one.Value, other.Value);
        Assert.Equal(one.Url, other.Url);
    }

    private static string Whose(Exchange exchange) => $"{exchange.RequestHeaders.Get("Authorization")}|{exchange.RequestHeaders.Get("X-Api-Key")}|{exchange.RequestHeaders.Get("Cookie")}|{exchange.RequestHeaders.Get("Api-Key")}";
}
