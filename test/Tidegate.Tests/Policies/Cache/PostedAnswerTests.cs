using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>An answer to POST that says that it is its URL's own (RFC 9110 9.3.3).</summary>
public sealed class PostedAnswerTests
{
    private const string Own = "Cache-Control: max-age=60\nContent-Location: /a";

    private readonly CacheBench _bench = new();

    [Fact]
    public async Task It_is_stored_for_those_who_get_the_url_in_the_place_of_what_was()
    {
        await _bench.CallAsync();
        Posts(Own, "new");
        var posted = await _bench.CallAsync("POST", content: "change");
        Assert.Equal("tidegate; fwd=method; fwd-status=200; stored", posted["Cache-Status"]);

        Assert.True((await _bench.CallAsync()) is { IsFromStore: true, Content: "new" });
        Assert.True((await _bench.CallAsync("HEAD")).IsFromStore);
        Assert.False((await _bench.CallAsync("POST", content: "change")).IsFromStore);
    }

    [Theory]
    [InlineData("Cache-Control: max-age=60")]
    [InlineData("Cache-Control: max-age=60\nContent-Location: /b")]
    [InlineData("Cache-Control: max-age=60\nContent-Location: https://other.test/a")]
    [InlineData("Content-Location: /a\nLast-Modified: Wed, 25 Nov 2020 10:00:00 GMT")]
    [InlineData("Content-Location: /a\nETag: \"v1\"")]
    [InlineData("Content-Location: /a\nCache-Control: private, max-age=60")]
    [InlineData(Own + "\nVary: Accept")]
    [InlineData(Own, 201)]
    public async Task Without_its_own_url_and_a_time_of_its_own_it_is_not(string fields, int status = 200)
    {
        Posts(fields, "new", status);
        await _bench.CallAsync("POST", content: "change");
        Assert.Equal(0, _bench.Cache.Store.Count);
    }

    [Fact]
    public async Task A_time_of_the_configuration_is_no_time_of_its_own()
    {
        var ttl = new TimeSpan?[10];
        ttl[2] = TimeSpan.FromHours(1);
        foreach (var isOverride in (bool[])[false, true])
        {
            var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, Ttl = ttl, IsOverride = isOverride })
            {
                Upstream = asked => CacheBench.Answer(asked, 200, "Content-Location: /a" + (isOverride ? "\nCache-Control: max-age=60" : "")),
            };
            await bench.CallAsync("POST", content: "change");
            Assert.Equal(0, bench.Cache.Store.Count);
        }
    }

    [Theory]
    [InlineData("X-HTTP-Method-Override: DELETE")]
    [InlineData("Authorization: Bearer one")]
    [InlineData("Cache-Control: no-store")]
    public async Task A_request_whose_answer_is_not_everybodys_stores_nothing(string field)
    {
        Posts(Own, "new");
        await _bench.CallAsync("POST", fields: field, content: "change");
        Assert.Equal(0, _bench.Cache.Store.Count);
    }

    [Fact]
    public async Task Of_two_that_cross_the_one_that_is_answered_last_is_not_stored()
    {
        _bench.Upstream = async asked =>
        {
            if (asked.RequestHeaders.Get("X-First") is not null)
            {
                // While the first is under way, a second one comes and goes.
                await CacheBench.ReadAsync(await SecondAsync());
                await CacheBench.Answer(asked, 200, Own, "first");
            }
            else
            {
                await CacheBench.Answer(asked, 200, Own, "second");
            }
        };
        await _bench.CallAsync("POST", fields: "X-First: yes", content: "change");
        Assert.Equal("second", (await _bench.CallAsync()).Content);
        Assert.False(_bench.Asked.Count(asked => asked.Method == "GET") is 0);

        async Task<Exchange> SecondAsync()
        {
            var second = CacheBench.Request("POST", content: "change");
            await _bench.Policy.InvokeAsync(second, asked => new ValueTask(CacheBench.Answer(asked, 200, Own, "second")));
            return second;
        }
    }

    [Fact]
    public async Task A_purge_while_it_is_under_way_holds_for_it()
    {
        _bench.Upstream = asked =>
        {
            _bench.Cache.PurgeAll(isSoft: false);
            return CacheBench.Answer(asked, 200, Own, "old");
        };
        await _bench.CallAsync("POST", content: "change");
        Assert.Equal(0, _bench.Cache.Store.Count);
    }

    [Theory]
    [InlineData("other", true)]
    [InlineData("other prefix", true)]
    [InlineData("url", false)]
    [InlineData("prefix", false)]
    [InlineData("api", false)]
    [InlineData("soft", false)]
    public async Task A_purge_while_its_answer_is_looked_at_holds_for_it_when_it_is_its_own(string purge, bool isStored)
    {
        var time = new WatchedTime();
        var bench = new CacheBench(time: time);
        bench.Upstream = asked =>
        {
            time.OnTimestamp = () => Purge(bench.Cache);
            return CacheBench.Answer(asked, 200, Own, "new");
        };
        var posted = await bench.CallAsync("POST", content: "change");
        Assert.Equal("tidegate; fwd=method; fwd-status=200" + (isStored ? "; stored" : ""), posted["Cache-Status"]);
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", "newest");
        Assert.Equal(isStored ? "new" : "newest", (await bench.CallAsync()).Content);

        void Purge(HttpCache cache)
        {
            switch (purge)
            {
                case "other":
                    cache.PurgeUrl("api.test/other", isSoft: false);
                    break;
                case "other prefix":
                    cache.PurgePrefix("api.test/other", isSoft: false);
                    break;
                case "prefix":
                    cache.PurgePrefix("api.test/", isSoft: false);
                    break;
                case "api":
                    cache.PurgeApi("api", isSoft: false);
                    break;
                default:
                    cache.PurgeUrl("api.test/a", isSoft: purge == "soft");
                    break;
            }
        }
    }

    [Fact]
    public async Task One_that_the_client_does_not_read_to_its_end_is_not_stored_and_takes_no_room()
    {
        Posts(Own, "new");
        var exchange = CacheBench.Request("POST", content: "change");
        await _bench.Policy.InvokeAsync(exchange, asked => new ValueTask(_bench.Upstream(asked)));
        Assert.Equal(1, await exchange.ResponseBody.ReadAsync(new byte[1], CancellationToken.None));
        await exchange.ResponseBody.DisposeAsync();
        Assert.Equal((0, 0L), (_bench.Cache.Store.Count, _bench.Cache.Store.Bytes));
    }

    private void Posts(string fields, string content, int status = 200) =>
        _bench.Upstream = asked => asked.Method == "POST" ? CacheBench.Answer(asked, status, fields, content) : CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", "old");

    /// <summary>Does something else once, in the moment in which somebody looks at the clock.</summary>
    private sealed class WatchedTime() : FakeTimeProvider(CacheBench.Start)
    {
        public Action? OnTimestamp { private get; set; }

        public override long GetTimestamp()
        {
            var work = OnTimestamp;
            OnTimestamp = null;
            work?.Invoke();
            return base.GetTimestamp();
        }
    }
}
