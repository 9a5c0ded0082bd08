using System.Globalization;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>Parts of answers: kept, put together, and used for ranges within (RFC 9111 3.3 and 3.4).</summary>
public sealed class PartTests
{
    private static readonly string Whole = string.Concat(Enumerable.Range(0, 20_000).Select(static i => i.ToString("D5", CultureInfo.InvariantCulture)));

    [Fact]
    public async Task A_range_within_what_is_held_is_answered_without_asking()
    {
        var bench = Bench();
        var first = await GetAsync(bench, 100, 299);
        Assert.Equal((206, Whole[100..300], "tidegate; fwd=uri-miss; fwd-status=206; stored"), (first.Status, first.Content, first["Cache-Status"]));
        bench.Time.Advance(TimeSpan.FromSeconds(10));
        var within = await GetAsync(bench, 150, 200);
        Assert.True(within is { IsFromStore: true, Status: 206, Cache: CacheResult.Hit });
        Assert.Equal((Whole[150..201], "bytes 150-200/100000", "10", "\"v1\""), (within.Content, within["Content-Range"], within["Age"], within["ETag"]));
        Assert.Equal(51, within.Exchange.ResponseBody.Length ?? 51);
        Assert.Single(bench.Asked);
    }

    [Fact]
    public async Task What_is_not_held_is_asked_for_and_put_together_with_what_is()
    {
        var bench = Bench();
        await GetAsync(bench, 0, 9_999);
        var gap = await GetAsync(bench, 5_000, 49_999);
        Assert.False(gap.IsFromStore);
        Assert.Equal((CacheResult.Partial, "tidegate; fwd=partial; fwd-status=206; stored; detail=gap"), (gap.Cache, gap["Cache-Status"]));
        await GetAsync(bench, 60_000, 69_999);
        Assert.Equal(3, bench.Asked.Count);
        Assert.Equal(Whole[9_000..45_000], (await GetAsync(bench, 9_000, 44_999)).Content);
        Assert.Equal(Whole[60_001..69_000], (await GetAsync(bench, 60_001, 68_999)).Content);
        Assert.Equal(3, bench.Asked.Count);
        Assert.False((await GetAsync(bench, 49_000, 60_500)).IsFromStore);
        Assert.Equal(Whole[..70_000], (await GetAsync(bench, 0, 69_999)).Content);
        Assert.Equal(4, bench.Asked.Count);
        Assert.InRange(bench.Cache.Store.Bytes, 70_000, 110_000);
    }

    [Fact]
    public async Task When_all_parts_are_there_they_are_the_whole()
    {
        var bench = Bench();
        var random = new Random(3);
        for (var start = 0; start < Whole.Length; start += 7_777)
        {
            await GetAsync(bench, start, Math.Min(Whole.Length, start + 7_777 + random.Next(100)) - 1);
        }

        var asked = bench.Asked.Count;
        var whole = await bench.CallAsync();
        Assert.True(whole is { IsFromStore: true, Status: 200 });
        Assert.Equal((Whole, null), (whole.Content, whole["Content-Range"]));
        Assert.Equal(Whole[^500..], (await bench.CallAsync(fields: "Range: bytes=-500")).Content);
        Assert.Equal(asked, bench.Asked.Count);
        Assert.Equal(1, bench.Cache.Store.Count);
    }

    [Fact]
    public async Task Random_ranges_of_a_changing_whole_are_never_mixed()
    {
        var random = new Random(7);
        var version = 0;
        var bench = new CacheBench();
        bench.Upstream = asked => AnswerRange(asked, Content(version), $"\"v{version}\"", "max-age=60");
        for (var i = 0; i < 3000; i++)
        {
            if (random.Next(100) == 0)
            {
                version++;
                bench.Cache.PurgeUrl("api.test/a", isSoft: false);
            }
            else if (random.Next(50) == 0)
            {
                // Nobody says so, and parts of the old one may be used until they are stale.
                version++;
                bench.Time.Advance(TimeSpan.FromSeconds(61));
            }

            var start = random.Next(90_000);
            var end = start + random.Next(1, 10_000);
            var answer = await GetAsync(bench, start, end - 1);
            Assert.Equal(Content(version)[start..end], answer.Content);
        }

        Assert.InRange(bench.Asked.Count, 500, 2900);
        Assert.Empty(bench.Bugs);

        static string Content(int version) => new string((char)('a' + (version % 26)), 50_000) + Whole[..50_000];
    }

    [Theory]
    [InlineData("ETag: W/\"v1\"", 0, "")]
    [InlineData("Last-Modified: Wed, 25 Nov 2020 10:00:00 GMT", 0, "")]
    [InlineData("ETag: \"v1\"\nETag: \"v2\"", 0, "")]
    [InlineData("ETag: \"v1\"", 1, "")]
    [InlineData("ETag: \"v1\"", 0, "bytes 10-19/*")]
    [InlineData("ETag: \"v1\"", 0, "items 10-19/100000")]
    [InlineData("ETag: \"v1\"", 0, "bytes 19-10/100000")]
    [InlineData("ETag: \"v1\"", 0, "bytes 10-19/15")]
    [InlineData("ETag: \"v1\"\nCache-Control: no-store", 0, "")]
    [InlineData("ETag: \"v1\"\nCache-Control: no-cache", 0, "")]
    [InlineData("ETag: \"v1\"\nVary: *", 0, "")]
    [InlineData("ETag: \"v1\"\nContent-Range: bytes 10-19/100000", 0, "")]
    public async Task Without_a_strong_tag_a_plain_range_and_leave_to_store_no_part_is_kept(string fields, int missing, string range)
    {
        var bench = new CacheBench();
        bench.Upstream = asked => CacheBench.Answer(asked, 206, (fields.Contains("Cache-Control", StringComparison.Ordinal) ? "" : "Cache-Control: max-age=60\n") + $"Content-Range: {(range.Length > 0 ? range : "bytes 10-19/100000")}\n{fields}", Whole[10..(20 - missing)]);
        await GetAsync(bench, 10, 19);
        await GetAsync(bench, 10, 19);
        Assert.Equal(2, bench.Asked.Count);
        Assert.Equal((0, 0L), (bench.Cache.Store.Count, bench.Cache.Store.Bytes));
    }

    [Theory]
    [InlineData("Range: bytes=100-199\nIf-Range: \"v1\"", true)]
    [InlineData("Range: bytes=100-199\nIf-Range: \"v2\"", false)]
    [InlineData("Range: bytes=100-199\nIf-Range: W/\"v1\"", false)]
    [InlineData("Range: bytes=100-199\nIf-None-Match: \"v1\"", false)]
    [InlineData("Range: bytes=100-199, 210-220", false)]
    [InlineData("Range: bytes=100-", false)]
    [InlineData("Range: bytes=-10", false)]
    [InlineData("Range: bytes=100-199\nCache-Control: no-cache", false)]
    [InlineData("Range: bytes=100-199\nAccept-Language: fr", false)]
    [InlineData("", false)]
    public async Task A_part_is_used_for_requests_that_it_answers(string fields, bool isUsed)
    {
        var bench = Bench("max-age=60\nVary: Accept-Language");
        await GetAsync(bench, 100, 299);
        Assert.Equal(isUsed, (await bench.CallAsync(fields: fields)).IsFromStore);
    }

    [Fact]
    public async Task A_whole_answer_to_a_request_for_a_range_is_kept_as_the_whole()
    {
        var bench = new CacheBench();
        Assert.Equal("content", (await GetAsync(bench, 1, 3)).Content);
        Assert.Equal((true, "content"), await bench.CallAsync() is var whole ? (whole.IsFromStore, whole.Content) : default);
        Assert.Equal("ont", (await GetAsync(bench, 1, 3)).Content);
        Assert.Single(bench.Asked);
    }

    [Fact]
    public async Task A_whole_answer_takes_the_place_of_its_parts()
    {
        var bench = Bench();
        await GetAsync(bench, 0, 50_000);
        await bench.CallAsync();
        Assert.Equal(1, bench.Cache.Store.Count);
    }

    [Fact]
    public async Task A_purge_holds_for_parts_also_for_one_that_is_on_its_way()
    {
        var bench = Bench();
        await GetAsync(bench, 0, 99);
        bench.Cache.PurgeUrl("api.test/a", isSoft: false);
        Assert.False((await GetAsync(bench, 0, 99)).IsFromStore);
        bench.Upstream = asked =>
        {
            bench.Cache.PurgeUrl("api.test/a", isSoft: false);
            return AnswerRange(asked, Whole, "\"v1\"", "max-age=60");
        };
        Assert.False((await GetAsync(bench, 100, 199)).IsFromStore);
        Assert.False((await GetAsync(bench, 100, 199)).IsFromStore);
        await bench.CallAsync("DELETE");
        Assert.False((await GetAsync(bench, 0, 99)).IsFromStore);
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_leaves_nothing_behind()
    {
        var bench = Bench();
        var exchange = CacheBench.Request(fields: "Range: bytes=0-49999");
        await bench.Policy.InvokeAsync(exchange, asked => new ValueTask(bench.Upstream(asked)));
        Assert.Equal(1000, await exchange.ResponseBody.ReadAsync(new byte[1000], TestContext.Current.CancellationToken));
        await exchange.ResponseBody.DisposeAsync();
        Assert.Equal((0, 0L), (bench.Cache.Store.Count, bench.Cache.Store.Bytes));
    }

    [Fact]
    public async Task Holes_and_bytes_are_bounded()
    {
        var bench = Bench();
        for (var i = 0; i < 200; i++)
        {
            await GetAsync(bench, i * 400, (i * 400) + 10);
        }

        Assert.InRange(bench.Cache.Store.Bytes, 1, 110_000);
        Assert.True((await GetAsync(bench, 63 * 400, (63 * 400) + 10)).IsFromStore);
        Assert.False((await GetAsync(bench, 100 * 400, (100 * 400) + 10)).IsFromStore);
    }

    private static CacheBench Bench(string control = "max-age=60")
    {
        var bench = new CacheBench();
        bench.Upstream = asked => AnswerRange(asked, Whole, "\"v1\"", control);
        return bench;
    }

    [Fact]
    public async Task A_head_is_asked_for_the_whole_whatever_range_it_names()
    {
        var bench = Bench();
        await GetAsync(bench, 0, 9_999);
        await bench.CallAsync("HEAD", fields: "Range: bytes=0-99");
        Assert.Equal("HEAD", bench.Asked[^1].Method);
    }

    [Fact]
    public async Task A_digest_of_other_bytes_is_not_sent_with_a_part()
    {
        var bench = Bench();
        bench.Upstream = async asked =>
        {
            await AnswerRange(asked, Whole, "\"v1\"", "max-age=60");
            asked.ResponseHeaders.Add("Content-Digest", "sha-256=:of-these-bytes:");
            asked.ResponseHeaders.Add("Repr-Digest", "sha-256=:of-the-whole:");
        };
        Assert.Equal("sha-256=:of-these-bytes:", (await GetAsync(bench, 0, 9_999))["Content-Digest"]);
        var within = await GetAsync(bench, 10, 20);
        Assert.True(within.IsFromStore);
        Assert.Equal((null, "sha-256=:of-the-whole:"), (within["Content-Digest"], within["Repr-Digest"]));
        await GetAsync(bench, 10_000, Whole.Length - 1);
        var whole = await bench.CallAsync();
        Assert.True(whole.IsFromStore);
        Assert.Null(whole["Content-Digest"]);
    }

    private static Task<CacheAnswer> GetAsync(CacheBench bench, long first, long last) => bench.CallAsync(fields: $"Range: bytes={first}-{last}");

    private static Task AnswerRange(Exchange asked, string whole, string tag, string control)
    {
        var fields = $"Cache-Control: {control}\nETag: {tag}";
        return asked.RequestHeaders.TryGet(KnownHeader.Range, out var field) && ByteRange.Read(field, whole.Length, out var range) is true
            ? CacheBench.Answer(asked, 206, fields + $"\nContent-Range: bytes {range.Start}-{range.Start + range.Length - 1}/{whole.Length}", whole.Substring((int)range.Start, (int)range.Length))
            : CacheBench.Answer(asked, 200, fields, whole);
    }
}
