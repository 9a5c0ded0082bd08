using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>Known ways to put into a shared cache what others should not get, or to get out of it what is not one's own.</summary>
public sealed class PoisoningTests
{
    private static readonly QueryRule Rule = new(new HashSet<string> { "utm_source" }, null);

    private readonly CacheBench _bench = new();

    [Theory]
    [InlineData("X-HTTP-Method-Override: DELETE")]
    [InlineData("x-http-method: PURGE")]
    [InlineData("X-Original-URL: /admin")]
    [InlineData("X-Rewrite-URL: /admin")]
    [InlineData("X-Forwarded-Scheme: http")]
    [InlineData("X-Forwarded-Prefix: /evil")]
    [InlineData("X-Host: evil.test")]
    [InlineData("X_Original_URL: /admin")]
    [InlineData("x_http_method_override: DELETE")]
    public async Task A_field_that_reroutes_a_request_neither_spoils_nor_gets_what_is_stored(string field)
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", asked.RequestHeaders.Count > 0 ? "spoiled" : "good");
        var attack = await _bench.CallAsync(fields: field);
        Assert.Equal(("spoiled", CacheResult.Bypass), (attack.Content, attack.Cache));
        Assert.Equal("good", (await _bench.CallAsync()).Content);
        Assert.Equal("spoiled", (await _bench.CallAsync(fields: field)).Content);
        Assert.Equal("good", (await _bench.CallAsync()).Content);
    }

    [Fact]
    public async Task The_content_of_a_get_spoils_nothing()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", asked.RequestBody.IsEmpty ? "good" : "spoiled");
        Assert.Equal(CacheResult.Bypass, (await _bench.CallAsync(content: "report=evil")).Cache);
        Assert.Equal("good", (await _bench.CallAsync()).Content);
        Assert.Equal("spoiled", (await _bench.CallAsync(content: "report=evil")).Content);
    }

    [Theory]
    [InlineData("/account/x.css", "")]
    [InlineData("/account;x.js", "Cache-Control: private")]
    [InlineData("/account/logo.png?v=1", "Set-Cookie: session=new")]
    [InlineData("/account%2Fx.css", "Cache-Control: no-store")]
    public async Task A_path_that_looks_static_does_not_share_the_page_of_a_session_not_even_by_a_time_for_it(string path, string fields)
    {
        var ttl = new TimeSpan?[10];
        ttl[2] = TimeSpan.FromMinutes(5);
        foreach (var isOverride in (bool[])[false, true])
        {
            var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, Ttl = ttl, IsOverride = isOverride })
            {
                Upstream = asked => CacheBench.Answer(asked, 200, "Content-Type: text/html\n" + fields, asked.RequestHeaders.Get("Cookie") ?? "public"),
            };
            Assert.Equal("session=victim", (await bench.CallAsync(path: path, fields: "Cookie: session=victim")).Content);
            Assert.Equal(0, bench.Cache.Store.Count);
            Assert.Equal("public", (await bench.CallAsync(path: path)).Content);
        }
    }

    [Theory]
    [InlineData(408)]
    [InlineData(411)]
    [InlineData(412)]
    [InlineData(413)]
    [InlineData(415)]
    [InlineData(429)]
    [InlineData(431)]
    public async Task An_error_that_a_spoiled_request_brought_is_not_everybodys(int status)
    {
        _bench.Upstream = asked => asked.RequestHeaders.Count > 0 ? CacheBench.Answer(asked, status, "Cache-Control: public, max-age=60", "spoiled") : CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", "good");
        await _bench.CallAsync(fields: "X-Oversize: " + new string('x', 9000));
        Assert.Equal("good", (await _bench.CallAsync()).Content);
    }

    [Theory]
    [InlineData(400, "ETag: \"a\"\nCache-Control: public")]
    [InlineData(400, "Last-Modified: Wed, 25 Nov 2020 10:00:00 GMT\nCache-Control: public")]
    [InlineData(400, "")]
    [InlineData(406, "")]
    [InlineData(422, "ETag: \"a\"")]
    public async Task A_refusal_of_a_spoiled_request_is_stored_by_no_guess_and_by_no_rule(int status, string fields)
    {
        var ttl = new TimeSpan?[10];
        ttl[4] = TimeSpan.FromHours(1);
        foreach (var isOverride in (bool[])[false, true])
        {
            var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, Ttl = ttl, IsOverride = isOverride })
            {
                Upstream = asked => asked.RequestHeaders.Count > 0 ? CacheBench.Answer(asked, status, fields, "spoiled") : CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", "good"),
            };
            await bench.CallAsync(fields: "X-Oversize: " + new string('x', 9000));
            Assert.Equal(0, bench.Cache.Store.Count);
            Assert.Equal("good", (await bench.CallAsync()).Content);
        }
    }

    [Fact]
    public async Task A_refusal_that_the_upstream_itself_calls_fresh_is_used_for_a_minute_at_most_and_never_stale()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 400, "Cache-Control: max-age=3600, stale-while-revalidate=3600, stale-if-error=3600", "refused");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.True((await _bench.CallAsync()) is { IsFromStore: true, Status: 400, Content: "refused" });
        _bench.Time.Advance(TimeSpan.FromSeconds(1));
        _bench.Upstream = asked => CacheBench.Answer(asked, 503, "", "broken");
        Assert.Equal(503, (await _bench.CallAsync()).Status);
        Assert.False((await _bench.CallAsync(fields: "Cache-Control: max-stale")).IsFromStore);
    }

    [Fact]
    public async Task What_the_gateway_itself_refuses_is_not_stored()
    {
        _bench.Upstream = asked =>
        {
            asked.Reject(new Rejection("limits", "refused", 400, "Not now."));
            return Task.CompletedTask;
        };
        Assert.Equal(400, (await _bench.CallAsync()).Status);
        Assert.Equal(0, _bench.Cache.Store.Count);
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", "good");
        Assert.Equal("good", (await _bench.CallAsync()).Content);
    }

    [Fact]
    public async Task What_a_proxy_said_of_the_scheme_is_a_part_of_the_key()
    {
        _bench.Upstream = asked => asked.RequestHeaders.Get("X-Forwarded-Proto") == "http"
            ? CacheBench.Answer(asked, 301, "Cache-Control: max-age=60\nLocation: https://api.test/a", "")
            : CacheBench.Answer(asked, 200, "Cache-Control: max-age=60");
        Assert.Equal(301, (await _bench.CallAsync(fields: "X-Forwarded-Proto: http")).Status);
        Assert.Equal(200, (await _bench.CallAsync(fields: "X-Forwarded-Proto: https")).Status);
    }

    [Theory]
    [InlineData("/a?b=c", "/a?b=d")]
    [InlineData("/a?", "/a")]
    [InlineData("/a%2Fb", "/a/b")]
    [InlineData("/a?x=1&y=2", "/a?y=2&x=1")]
    [InlineData("/A", "/a")]
    public async Task Two_targets_that_a_service_may_tell_apart_are_two(string one, string other)
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", asked.Target.PathAndQuery);
        Assert.Equal(one, (await _bench.CallAsync(path: one)).Content);
        Assert.Equal(other, (await _bench.CallAsync(path: other)).Content);
    }

    [Fact]
    public async Task A_query_is_reduced_to_what_the_configuration_says_and_no_further()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, Query = Rule, ApiQueries = [Rule] })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", asked.Target.PathAndQuery),
        };
        await bench.CallAsync(path: "/a?utm_source=x&id=1");
        Assert.True((await bench.CallAsync(path: "/a?id=1&utm_source=y")).IsFromStore);
        Assert.True((await bench.CallAsync(path: "/a?id=1")).IsFromStore);
        Assert.False((await bench.CallAsync(path: "/a?id=2")).IsFromStore);
        Assert.False((await bench.CallAsync(path: "/a?id=1&UTM_source=y")).IsFromStore);

        // Whoever changes it under another of its names changes it.
        await bench.CallAsync("POST", "/a?utm_source=z&id=1");
        Assert.False((await bench.CallAsync(path: "/a?id=1")).IsFromStore);
        Assert.True((await bench.CallAsync(path: "/a?id=2")).IsFromStore);
        bench.Cache.PurgeUrl("api.test/a?id=2&utm_source=q", isSoft: false, [Rule]);
        Assert.False((await bench.CallAsync(path: "/a?id=2")).IsFromStore);
    }

    [Fact]
    public async Task A_field_of_the_key_keeps_answers_apart_though_vary_is_missing()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, KeyHeaders = (byte[][])[[.. "X-Tenant"u8]] })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", asked.RequestHeaders.Get("X-Tenant") ?? "none"),
        };
        Assert.Equal("a", (await bench.CallAsync(fields: "X-Tenant: a")).Content);
        Assert.Equal("b", (await bench.CallAsync(fields: "X-Tenant: b")).Content);
        Assert.Equal("none", (await bench.CallAsync()).Content);

        // A service may read any line, and take an underscore for a hyphen.
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", "other");
        Assert.Equal("other", (await bench.CallAsync(fields: "X-Tenant: a\nX-Tenant: b")).Content);
        Assert.Equal("other", (await bench.CallAsync(fields: "X-Tenant: a\nX_Tenant: b")).Content);
        Assert.Equal("other", (await bench.CallAsync(fields: "X_Tenant: a")).Content);
        Assert.Equal("a", (await bench.CallAsync(fields: "X-Tenant: a")).Content);
    }

    [Theory]
    [InlineData("/a?%75tm_source=x", "/a", true)]
    [InlineData("/a?utm_source=x;id=2", "/a", false)]
    [InlineData("/a?utm_source=x;utm_source=y", "/a", true)]
    [InlineData("/a?utm_source[]=x", "/a", false)]
    [InlineData("/a?utm_source%=x", "/a", false)]
    public Task What_is_left_out_of_a_query_is_left_out_however_it_is_written_and_nothing_else(string one, string other, bool isSame) => AreSameAsync(Rule, one, other, isSame);

    [Theory]
    [InlineData("/a?x=1", "/a", true)]
    [InlineData("/a?id=1", "/a", false)]
    [InlineData("/a?%69d=1", "/a", false)]
    [InlineData("/a?ID=1", "/a", false)]
    [InlineData("/a?id[]=1", "/a", false)]
    [InlineData("/a?x=1;id=2", "/a", false)]
    [InlineData("/a?id=1;x=2", "/a?id=1", false)]
    [InlineData("/a?+id=1", "/a", false)]
    [InlineData("/a?id", "/a", false)]
    public Task What_could_be_read_as_a_parameter_that_matters_stays_in_the_key(string one, string other, bool isSame) => AreSameAsync(new QueryRule(null, new HashSet<string> { "id" }), one, other, isSame);

    private static async Task AreSameAsync(QueryRule rule, string one, string other, bool isSame)
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, Query = rule, ApiQueries = [rule] });
        await bench.CallAsync(path: one);
        Assert.Equal(isSame, (await bench.CallAsync(path: other)).IsFromStore);
    }
}
