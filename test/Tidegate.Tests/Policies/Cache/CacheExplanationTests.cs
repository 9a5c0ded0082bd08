using System.Text;
using Tidegate.Policies.Cache;
using Tidegate.Policies.Cache.Disk;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>The same verdict for parts, for what only the disk has and for whole answers in memory.</summary>
public sealed class CacheExplanationTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-explained").FullName;
    private readonly CacheBench _bench = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Of_parts_it_says_whether_they_are_fresh_stale_purged_or_unwanted()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 206, "ETag: \"v\"\nCache-Control: max-age=10\nContent-Range: bytes 0-3/10", "0123");
        await _bench.CallAsync(fields: "Range: bytes=0-3");
        Assert.EndsWith("4 of 10 bytes stored, age 0 s, fresh for 10 s: fresh, used for ranges within, and for the ends of others", await ExplainAsync(), StringComparison.Ordinal);
        Assert.EndsWith("not used, because the request wants newer ones; the upstream is asked", await ExplainAsync("Cache-Control: no-cache"), StringComparison.Ordinal);
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        Assert.EndsWith("age 20 s, fresh for -10 s: not used, because they are stale; the upstream is asked", await ExplainAsync(), StringComparison.Ordinal);
        Assert.EndsWith("stale, used for ranges within because the request takes stale answers", await ExplainAsync("Cache-Control: max-stale=60"), StringComparison.Ordinal);
        _bench.Cache.PurgeUrl("api.test/a", isSoft: false);
        Assert.EndsWith(": purged, so the upstream is asked", await ExplainAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_what_only_the_disk_has_too()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nVary: Accept-Language", "content");
        await using (await OpenAsync(_bench))
        {
            await _bench.CallAsync();
            await IdleAsync(_bench);
        }

        var again = new CacheBench();
        await using (await OpenAsync(again))
        {
            Assert.EndsWith("; stored on disk 200 of 7 bytes, varies by accept-language, age 0 s, fresh for 60 s: fresh, used as it is", await ExplainAsync(bench: again), StringComparison.Ordinal);
            again.Time.Advance(TimeSpan.FromSeconds(70));
            Assert.EndsWith("not used, because it is stale and has nothing to be confirmed by; the upstream is asked", await ExplainAsync(bench: again), StringComparison.Ordinal);
            again.Cache.PurgeApi("api", isSoft: false);
            Assert.EndsWith(": purged, so the upstream is asked", await ExplainAsync(bench: again), StringComparison.Ordinal);
            Assert.Equal((0, 0L), (again.Cache.Store.Count, again.Cache.Disk!.Reads));
        }
    }

    [Fact]
    public async Task A_post_that_is_a_read_is_told_apart_by_its_content()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, KeysBody = true });
        await bench.CallAsync("POST", content: "one");
        Assert.EndsWith("fresh, used as it is", await ExplainAsync(bench: bench, method: "POST", content: "one"), StringComparison.Ordinal);
        Assert.EndsWith("; nothing stored", await ExplainAsync(bench: bench, method: "POST", content: "two"), StringComparison.Ordinal);
        Assert.Equal("bypassed: content-too-large", await ExplainAsync(bench: bench, method: "POST", content: new string('x', 70_000)));
        Assert.Equal("bypassed: request-content", await ExplainAsync(bench: bench, method: "GET", content: "one"));
    }

    private async Task<string> ExplainAsync(string fields = "", CacheBench? bench = null, string method = "GET", string content = "") =>
        (await (bench ?? _bench).Policy.ExplainAsync(CacheBench.Request(method, fields: fields, content: content), Encoding.UTF8.GetBytes(content))).Summary;

    private async Task<DiskTier> OpenAsync(CacheBench bench)
    {
        var disk = DiskTier.Open(bench.Cache, _directory, 64 << 20, static problem => Assert.Fail(problem))!;
        await IdleAsync(bench);
        return disk;
    }

    private static async Task IdleAsync(CacheBench bench)
    {
        for (var i = 0; i < 4000 && !bench.Cache.Disk!.IsIdle; i++)
        {
            await Task.Delay(5, Cancellation);
        }

        Assert.True(bench.Cache.Disk!.IsIdle);
    }
}
