using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>RFC 9111, rule by rule, on a virtual clock.</summary>
public sealed class CachePolicyTests
{
    private readonly CacheBench _bench = new();

    [Fact]
    public async Task A_fresh_answer_is_used_until_its_last_second_and_its_age_grows()
    {
        Assert.Equal(CacheResult.Miss, (await _bench.CallAsync()).Cache);
        _bench.Time.Advance(TimeSpan.FromSeconds(59));

        var hit = await _bench.CallAsync();
        Assert.True(hit is { IsFromStore: true, Status: 200, Content: "content", Cache: CacheResult.Hit });
        Assert.Equal("59", hit["Age"]);
        Assert.Equal("tidegate; hit; ttl=1", hit["Cache-Status"]);

        _bench.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(CacheResult.Miss, Normalized(await _bench.CallAsync()));
        Assert.Equal(2, _bench.Asked.Count);
    }

    [Fact]
    public async Task Time_that_an_answer_has_spent_elsewhere_counts()
    {
        Answers(200, "Cache-Control: max-age=60\nAge: 50\nDate: Wed, 25 Nov 2026 10:00:00 GMT");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal("59", (await _bench.CallAsync())["Age"]);
        _bench.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.False((await _bench.CallAsync()).IsFromStore);
    }

    [Theory]
    [InlineData("Cache-Control: no-store, max-age=60")]
    [InlineData("Cache-Control: private, max-age=60")]
    [InlineData("Cache-Control: max-age=0")]
    [InlineData("Cache-Control: s-maxage=0, max-age=60")]
    [InlineData("Expires: 0\nLast-Modified: Wed, 25 Nov 2020 10:00:00 GMT")]
    [InlineData("ETag: \"a\"")]
    [InlineData("Vary: *\nCache-Control: max-age=60")]
    [InlineData("CDN-Cache-Control: no-store\nCache-Control: max-age=60")]
    [InlineData("Cache-Control: max-age=60, no-store, must-understand", 299)]
    [InlineData("Cache-Control: max-age=60", 206)]
    [InlineData("Cache-Control: max-age=60", 431)]
    [InlineData("Last-Modified: Wed, 25 Nov 2020 10:00:00 GMT", 500)]
    [InlineData("Last-Modified: Wed, 25 Nov 2020 10:00:00 GMT\nSet-Cookie: a=b")]
    public async Task What_may_not_be_used_is_asked_for_again(string fields, int status = 200)
    {
        Answers(status, fields);
        await _bench.CallAsync();
        Assert.False((await _bench.CallAsync()).IsFromStore);
        Assert.Equal(2, _bench.Asked.Count);
    }

    [Theory]
    [InlineData("Cache-Control: no-store, max-age=60, must-understand", 200)]
    [InlineData("Last-Modified: Wed, 25 Nov 2020 10:00:00 GMT", 404)]
    [InlineData("Cache-Control: no-store\nCDN-Cache-Control: max-age=60", 200)]
    [InlineData("Expires: Wed, 25 Nov 2026 11:00:00 GMT", 200)]
    [InlineData("Cache-Control: max-age=60", 503)]
    public async Task What_may_be_used_is(string fields, int status)
    {
        Answers(status, fields);
        await _bench.CallAsync();
        Assert.Equal((true, status), ((await _bench.CallAsync()) is { IsFromStore: true } hit ? (true, hit.Status) : (false, 0)));
    }

    [Fact]
    public async Task A_stale_answer_is_validated_and_takes_over_the_new_fields()
    {
        Answers(200, "Cache-Control: max-age=10\nETag: \"v1\"\nX-A: old\nContent-Encoding: gzip");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        Answers(304, "Cache-Control: max-age=100\nETag: \"v1\"\nX-A: new\nContent-Encoding: br\nContent-Length: 3", "");

        var validated = await _bench.CallAsync();
        Assert.Equal("\"v1\"", _bench.Asked[1].RequestHeaders.Get("If-None-Match"));
        Assert.True(validated is { Status: 200, Content: "content", Cache: CacheResult.HitValidated });
        Assert.Equal(("new", "gzip"), (validated["X-A"], validated["Content-Encoding"]));
        Assert.Equal("tidegate; fwd=stale; fwd-status=304; stored", validated["Cache-Status"]);

        // The 304 had no date: it is of when it came, and so is the answer.
        _bench.Time.Advance(TimeSpan.FromSeconds(99));
        Assert.True((await _bench.CallAsync()) is { Cache: CacheResult.Hit, Content: "content" } hit && hit["Age"] == "99");
        Assert.Equal(2, _bench.Asked.Count);
    }

    [Fact]
    public async Task A_304_about_another_answer_is_not_believed()
    {
        Answers(200, "Cache-Control: max-age=10\nETag: \"v1\"");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        _bench.Upstream = asked => asked.RequestHeaders.Contains(KnownHeader.IfNoneMatch)
            ? CacheBench.Answer(asked, 304, "ETag: \"v2\"", "")
            : CacheBench.Answer(asked, 200, "ETag: \"v2\"\nCache-Control: max-age=10", "second");

        Assert.Equal("second", (await _bench.CallAsync()).Content);
    }

    [Theory]
    [InlineData("max-age=20", false)]
    [InlineData("max-age=40", true)]
    [InlineData("min-fresh=20", true)]
    [InlineData("min-fresh=40", false)]
    [InlineData("no-cache", false)]
    [InlineData("no-store", false)]
    [InlineData("only-if-cached", true)]
    [InlineData("unknown", true)]
    public async Task A_request_may_want_more_than_a_fresh_answer(string directives, bool isHit)
    {
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(isHit, (await _bench.CallAsync(fields: "Cache-Control: " + directives)).IsFromStore);
    }

    [Theory]
    [InlineData("max-stale", "max-age=10", true)]
    [InlineData("max-stale=30", "max-age=10", true)]
    [InlineData("max-stale=10", "max-age=10", false)]
    [InlineData("max-stale", "max-age=10, must-revalidate", false)]
    [InlineData("max-stale", "s-maxage=10", false)]
    public async Task A_request_may_take_a_stale_answer_unless_the_upstream_forbids_it(string wanted, string given, bool isHit)
    {
        Answers(200, "ETag: \"a\"\nCache-Control: " + given);
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(isHit, (await _bench.CallAsync(fields: "Cache-Control: " + wanted)).IsFromStore);
    }

    [Fact]
    public async Task Only_if_cached_without_a_stored_answer_is_a_504_and_asks_nobody()
    {
        var refused = await _bench.CallAsync(fields: "Cache-Control: only-if-cached");
        Assert.Equal((504, "not_cached"), (refused.Exchange.Rejection!.Status, refused.Exchange.Rejection.Code));
        Assert.Empty(_bench.Asked);
    }

    [Fact]
    public async Task An_immutable_answer_is_not_asked_for_again_by_a_reload()
    {
        Answers(200, "Cache-Control: max-age=60, immutable");
        await _bench.CallAsync();
        Assert.True((await _bench.CallAsync(fields: "Cache-Control: max-age=0")).IsFromStore);
        Assert.False((await _bench.CallAsync(fields: "Cache-Control: no-cache")).IsFromStore);
    }

    [Theory]
    [InlineData("max-age=60", false)]
    [InlineData("max-age=60, public", true)]
    [InlineData("max-age=60, must-revalidate", true)]
    [InlineData("s-maxage=60", true)]
    public async Task An_authorised_answer_is_shared_only_when_it_says_so(string given, bool isShared)
    {
        Answers(200, "Cache-Control: " + given);
        await _bench.CallAsync(fields: "Authorization: Bearer a");
        Assert.Equal(isShared, (await _bench.CallAsync()).IsFromStore);
    }

    [Theory]
    [InlineData("POST", 201, false)]
    [InlineData("DELETE", 204, false)]
    [InlineData("M-SEARCH", 200, false)]
    [InlineData("PUT", 500, true)]
    [InlineData("OPTIONS", 200, true)]
    public async Task A_successful_unsafe_request_makes_its_url_invalid(string method, int status, bool isKept)
    {
        await _bench.CallAsync();
        await _bench.CallAsync(path: "/bystander");
        var usual = _bench.Upstream;
        Answers(status, "", "");
        await _bench.CallAsync(method);
        _bench.Upstream = usual;
        Assert.Equal(isKept, (await _bench.CallAsync()).IsFromStore);
        Assert.True((await _bench.CallAsync(path: "/bystander")).IsFromStore);
    }

    [Theory]
    [InlineData("Location: /other", false)]
    [InlineData("Content-Location: https://api.test/other", false)]
    [InlineData("Location: other", false)]
    [InlineData("Location: https://elsewhere.test/other", true)]
    public async Task Locations_of_the_same_origin_become_invalid_too(string field, bool isKept)
    {
        await _bench.CallAsync(path: "/other");
        var usual = _bench.Upstream;
        Answers(201, field, "");
        await _bench.CallAsync("POST", "/list");
        _bench.Upstream = usual;
        Assert.Equal(isKept, (await _bench.CallAsync(path: "/other")).IsFromStore);
    }

    [Fact]
    public async Task A_group_becomes_invalid_as_a_whole_and_only_by_an_unsafe_request()
    {
        Answers(200, "Cache-Control: max-age=60\nCache-Groups: \"prices\", \"all\"");
        await _bench.CallAsync();
        Answers(200, "Cache-Control: max-age=60\nCache-Group-Invalidation: \"prices\"");
        await _bench.CallAsync(path: "/b");
        Assert.True((await _bench.CallAsync()).IsFromStore);
        await _bench.CallAsync("POST", "/c");
        Assert.False((await _bench.CallAsync()).IsFromStore);
        Assert.True((await _bench.CallAsync(path: "/b")).IsFromStore);
    }

    [Theory]
    [InlineData("If-None-Match: \"v1\"", 304)]
    [InlineData("If-None-Match: W/\"v1\", \"x\"", 304)]
    [InlineData("If-None-Match: \"x\"\nIf-Modified-Since: Wed, 25 Nov 2026 09:00:00 GMT", 200)]
    [InlineData("If-Modified-Since: Wed, 25 Nov 2026 09:00:00 GMT", 304)]
    [InlineData("If-Modified-Since: Wed, 25 Nov 2026 08:59:59 GMT", 200)]
    [InlineData("Range: bytes=0-1", 206)]
    [InlineData("Range: bytes=0-1\nIf-Range: \"v1\"", 206)]
    [InlineData("Range: bytes=0-1\nIf-Range: \"v2\"", 200)]
    [InlineData("Range: bytes=50-", 416)]
    public async Task Conditions_and_ranges_are_answered_from_the_store(string fields, int status)
    {
        Answers(200, "Cache-Control: max-age=60\nETag: \"v1\"\nLast-Modified: Wed, 25 Nov 2026 09:00:00 GMT\nContent-Type: text/plain");
        await _bench.CallAsync();
        var answer = await _bench.CallAsync(fields: fields);
        Assert.Equal((status, true), (answer.Status, answer.IsFromStore));
        Assert.Equal(status switch { 200 => "content", 206 => "co", _ => "" }, answer.Content);
        Assert.Equal(status switch { 206 => "bytes 0-1/7", 416 => "bytes */7", _ => null }, answer["Content-Range"]);
        Assert.Equal("\"v1\"", answer["ETag"]);
    }

    [Fact]
    public async Task Head_is_answered_from_a_stored_get_with_its_length_and_no_content()
    {
        await _bench.CallAsync();
        var head = await _bench.CallAsync("HEAD");
        Assert.True(head.IsFromStore);
        Assert.Equal(7, head.Exchange.ResponseBody.Length);
    }

    [Fact]
    public async Task A_stale_answer_is_used_once_more_while_one_refresh_runs_behind_it()
    {
        Answers(200, "Cache-Control: max-age=10, stale-while-revalidate=30\nETag: \"v1\"");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        var refreshed = new TaskCompletionSource();
        _bench.Upstream = async asked =>
        {
            await refreshed.Task;
            await CacheBench.Answer(asked, 200, "Cache-Control: max-age=10, stale-while-revalidate=30", "second");
        };

        for (var i = 0; i < 3; i++)
        {
            Assert.True((await _bench.CallAsync()) is { Cache: CacheResult.HitStale, Content: "content" });
        }

        refreshed.SetResult();
        await UntilAsync(() => _bench.Cache.Flights.Count == 0);
        Assert.Equal(2, _bench.Asked.Count);
        Assert.True((await _bench.CallAsync()) is { Cache: CacheResult.Hit, Content: "second" });
        Assert.Empty(_bench.Bugs);
    }

    [Fact]
    public async Task A_refresh_asks_for_the_whole_whatever_its_client_wants_or_has()
    {
        Answers(200, "Cache-Control: max-age=10, stale-while-revalidate=30");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        Answers(200, "Cache-Control: max-age=10", "second");
        await _bench.CallAsync("HEAD", fields: "If-None-Match: \"x\"\nRange: bytes=0-1\nIf-Range: \"x\"");
        await UntilAsync(() => _bench.Asked.Count == 2 && _bench.Cache.Flights.Count == 0);
        Assert.Equal("GET", _bench.Asked[1].Method);
        Assert.Equal(0, _bench.Asked[1].RequestHeaders.Count);
    }

    [Fact]
    public async Task What_is_stale_by_a_soft_purge_is_so_since_the_purge_and_not_since_it_came()
    {
        Answers(200, "Cache-Control: max-age=1000, stale-while-revalidate=30");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(500));
        Assert.Equal(CacheResult.Hit, (await _bench.CallAsync()).Cache);
        _bench.Cache.PurgeUrl("api.test/a", isSoft: true);
        _bench.Time.Advance(TimeSpan.FromSeconds(10));
        _bench.Upstream = static asked =>
        {
            asked.Fail(new Failure(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "down"));
            return Task.CompletedTask;
        };
        var stale = await _bench.CallAsync();
        Assert.Equal((CacheResult.HitStale, "tidegate; hit; ttl=-10; detail=stale-while-revalidate"), (stale.Cache, stale["Cache-Status"]));
        await UntilAsync(() => _bench.Cache.Refreshes.Taken == 0);
        _bench.Time.Advance(TimeSpan.FromSeconds(25));
        Assert.Equal(Outcome.Failed, (await _bench.CallAsync()).Exchange.Outcome);
    }

    [Theory]
    [InlineData("max-age=10, stale-if-error=60", 500, true)]
    [InlineData("max-age=10, stale-if-error=60", 404, false)]
    [InlineData("max-age=10, stale-if-error=5", 503, false)]
    [InlineData("max-age=10", 503, false)]
    [InlineData("max-age=10, stale-if-error=60, must-revalidate", 503, false)]
    public async Task A_stale_answer_stands_in_for_an_error_where_it_may(string given, int status, bool standsIn)
    {
        Answers(200, "ETag: \"v1\"\nCache-Control: " + given);
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        Answers(status, "", "error");
        Assert.Equal(standsIn ? "content" : "error", (await _bench.CallAsync()).Content);
    }

    [Theory]
    [InlineData("max-age=10", 20, true)]
    [InlineData("max-age=10", 120, false)]
    [InlineData("max-age=10, stale-if-error=300", 120, true)]
    [InlineData("max-age=10, must-revalidate", 20, false)]
    [InlineData("max-age=10, proxy-revalidate", 20, false)]
    [InlineData("s-maxage=10", 20, false)]
    [InlineData("no-cache", 20, false)]
    public async Task A_stale_answer_stands_in_for_an_upstream_that_is_gone_only_for_a_while(string given, int age, bool standsIn)
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, StaleOnFailure = TimeSpan.FromMinutes(1) })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, "ETag: \"v1\"\nCache-Control: " + given),
        };
        await bench.CallAsync();
        bench.Time.Advance(TimeSpan.FromSeconds(age));
        bench.Upstream = asked =>
        {
            asked.Fail(new Failure(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "down"));
            return Task.CompletedTask;
        };
        var answer = await bench.CallAsync();
        Assert.Equal(standsIn ? Outcome.ServedFromCache : Outcome.Failed, answer.Exchange.Outcome);
    }

    [Fact]
    public async Task A_stale_answer_stands_in_while_the_circuit_is_open_and_not_for_what_a_limit_refuses()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, StaleOnFailure = TimeSpan.FromMinutes(1) })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, "ETag: \"v1\"\nCache-Control: max-age=10"),
        };
        await bench.CallAsync();
        bench.Time.Advance(TimeSpan.FromSeconds(20));
        bench.Upstream = asked =>
        {
            asked.Reject(new Rejection("circuit_breaker", "circuit_open", 503, "open", TimeSpan.FromSeconds(5)) { SparesUpstream = true });
            return Task.CompletedTask;
        };
        Assert.Equal((Outcome.ServedFromCache, CacheResult.HitStale), ((await bench.CallAsync()).Exchange.Outcome, (await bench.CallAsync()).Exchange.Cache));

        bench.Upstream = asked =>
        {
            asked.Reject(new Rejection("limits", "rate_limited", 429, "full", TimeSpan.FromSeconds(1)));
            return Task.CompletedTask;
        };
        Assert.Equal(Outcome.Rejected, (await bench.CallAsync()).Exchange.Outcome);
    }

    [Fact]
    public async Task How_much_somebody_may_still_call_is_told_to_the_one_who_called()
    {
        Answers(200, "Cache-Control: max-age=60\nX-RateLimit-Remaining: 5\nRateLimit: \"a\";r=5\nX-Rate-Limit-Reset: 1\nX-Kept: 1");
        Assert.Equal("5", (await _bench.CallAsync())["X-RateLimit-Remaining"]);
        var hit = await _bench.CallAsync();
        Assert.Equal((null, null, null, "1"), (hit["X-RateLimit-Remaining"], hit["RateLimit"], hit["X-Rate-Limit-Reset"], hit["X-Kept"]));
    }

    [Fact]
    public async Task Each_variant_is_kept_and_found_by_the_fields_that_it_varies_by()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nVary: Accept-Language", asked.RequestHeaders.Get("Accept-Language") ?? "none");
        foreach (var language in (string[])["en", "de", "fr"])
        {
            Assert.Equal(language, (await _bench.CallAsync(fields: "Accept-Language: " + language)).Content);
        }

        Assert.Equal(CacheResult.VaryMiss, (await _bench.CallAsync()).Cache);
        foreach (var language in (string[])["fr", "en", "de"])
        {
            Assert.True((await _bench.CallAsync(fields: "Accept-Language: " + language)) is { IsFromStore: true } hit && hit.Content == language);
        }
    }

    [Fact]
    public async Task What_policies_further_in_put_onto_the_request_is_not_what_an_answer_is_looked_for_by()
    {
        _bench.Upstream = asked =>
        {
            asked.RequestHeaders.Set("Authorization", "Bearer injected");
            return CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nVary: Authorization");
        };
        await _bench.CallAsync();
        Assert.True((await _bench.CallAsync()).IsFromStore);
        Assert.False((await _bench.CallAsync(fields: "Authorization: Bearer other")).IsFromStore);
    }

    [Fact]
    public async Task A_route_that_stores_nothing_still_makes_invalid_what_it_changes()
    {
        await _bench.CallAsync();
        var write = new CachePolicy(new CacheSettings { Api = "api", Mode = CacheMode.Off }, _bench.Cache);
        var post = CacheBench.Request("POST");
        await write.InvokeAsync(post, exchange => new ValueTask(CacheBench.Answer(exchange, 201, "")));
        Assert.Equal((CacheResult.None, null), (post.Cache, post.ResponseHeaders.Get("Cache-Status")));
        Assert.False((await _bench.CallAsync()).IsFromStore);
    }

    [Fact]
    public async Task The_configuration_may_give_a_time_where_the_answer_gives_none_and_against_it_only_by_override()
    {
        var ttl = new TimeSpan?[10];
        ttl[2] = TimeSpan.FromSeconds(30);
        var settings = new CacheSettings { Api = "api", Partition = CachePartition.None, Ttl = ttl, NegativeTtl = TimeSpan.FromSeconds(5) };
        Assert.True(await IsKeptAsync(settings, 200, ""));
        Assert.False(await IsKeptAsync(settings, 200, "Cache-Control: no-store"));
        Assert.False(await IsKeptAsync(settings, 200, "Cache-Control: private"));
        Assert.True(await IsKeptAsync(settings, 404, ""));
        Assert.False(await IsKeptAsync(settings, 403, ""));
        Assert.True(await IsKeptAsync(settings with { IsOverride = true }, 200, "Cache-Control: no-store"));
        Assert.False(await IsKeptAsync(settings with { IsOverride = true }, 200, "Set-Cookie: a=b"));

        static async Task<bool> IsKeptAsync(CacheSettings settings, int status, string fields)
        {
            var bench = new CacheBench(settings) { Upstream = asked => CacheBench.Answer(asked, status, fields) };
            await bench.CallAsync();
            var second = await bench.CallAsync();
            Assert.Equal(second.IsFromStore && settings.IsOverride, second.Exchange.IsCacheOverridden);
            return second.IsFromStore;
        }
    }

    [Fact]
    public async Task In_observe_mode_everything_is_forwarded_and_the_record_says_what_would_have_been()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, Mode = CacheMode.Observe });
        Assert.Equal(CacheResult.Miss, (await bench.CallAsync()).Cache);
        var second = await bench.CallAsync();
        Assert.True(second is { IsFromStore: false, Cache: CacheResult.WouldHit });
        Assert.Null(second["Cache-Status"]);
        Assert.Equal(2, bench.Asked.Count);
    }

    [Theory]
    [InlineData("Range: bytes=0-1")]
    [InlineData("If-None-Match: \"v1\"")]
    [InlineData("Cache-Control: only-if-cached")]
    [InlineData("Cache-Control: no-store")]
    [InlineData("")]
    public async Task In_observe_mode_no_answer_is_another_than_without_a_cache(string field)
    {
        // A service that knows neither ranges nor conditions.
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, Mode = CacheMode.Observe })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nETag: \"v1\""),
        };
        for (var i = 0; i < 2; i++)
        {
            var answer = await bench.CallAsync(fields: field);
            Assert.Equal((200, "content", 2), (answer.Status, answer.Content, answer.Exchange.ResponseHeaders.Count));
            Assert.True(answer.Exchange.IsCacheObserved);
        }

        Assert.Equal(2, bench.Asked.Count);
    }

    private static CacheResult Normalized(CacheAnswer answer) => answer.Cache == CacheResult.StaleMiss ? CacheResult.Miss : answer.Cache;

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 12_000 && !condition(); i++)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        Assert.True(condition());
    }

    private void Answers(int status, string fields, string content = "content") => _bench.Upstream = asked => CacheBench.Answer(asked, status, fields, content);
}
