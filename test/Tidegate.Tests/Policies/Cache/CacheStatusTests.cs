using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>Whoever gets an answer whose lifetime the configuration made learns so, however the answer came.</summary>
public sealed class CacheStatusTests
{
    private readonly CacheBench _bench;

    public CacheStatusTests()
    {
        var ttl = new TimeSpan?[10];
        ttl[2] = TimeSpan.FromSeconds(10);
        _bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, Ttl = ttl, IsOverride = true })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, "ETag: \"v\"\nCache-Control: max-age=1, stale-while-revalidate=20, stale-if-error=600", "0123456789"),
        };
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task When_it_is_stored_and_hit()
    {
        Assert.Equal("tidegate; fwd=uri-miss; fwd-status=200; stored; detail=ttl-override", await CallAsync());
        Assert.Equal("tidegate; hit; ttl=10; detail=ttl-override", await CallAsync());
        Assert.Equal("tidegate; hit; ttl=10; detail=ttl-override", await CallAsync("Range: bytes=0-3"));
        Assert.Equal("tidegate; hit; ttl=10; detail=ttl-override", await CallAsync("If-None-Match: \"v\""));
    }

    [Fact]
    public async Task When_it_is_stale_and_used_all_the_same()
    {
        await CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal("tidegate; hit; ttl=-5; detail=max-stale/ttl-override", await CallAsync("Cache-Control: max-stale=60"));
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _bench.Upstream = asked => gate.Task;
        Assert.Equal("tidegate; hit; ttl=-5; detail=stale-while-revalidate/ttl-override", await CallAsync());
        gate.SetException(new InvalidOperationException("It is not asked for."));
    }

    [Fact]
    public async Task When_it_was_validated()
    {
        await CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(40));
        _bench.Upstream = asked => CacheBench.Answer(asked, 304, "");
        Assert.Equal("tidegate; fwd=stale; fwd-status=304; stored; detail=ttl-override", await CallAsync());
    }

    [Fact]
    public async Task When_it_stands_in_for_an_error()
    {
        await CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(40));
        _bench.Upstream = asked => CacheBench.Answer(asked, 503, "");
        Assert.Equal("tidegate; hit; ttl=-30; detail=stale-if-error/ttl-override", await CallAsync());
    }

    [Fact]
    public async Task When_somebody_else_asked_for_it()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var answer = _bench.Upstream;
        _bench.Upstream = async asked =>
        {
            await gate.Task;
            await answer(asked);
        };
        var (first, second) = (_bench.CallAsync(), _bench.CallAsync());
        gate.SetResult();
        await first.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        var follower = await second.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        Assert.Equal(("tidegate; fwd=uri-miss; collapsed; detail=ttl-override", true), (follower["Cache-Status"], follower.Exchange.IsCacheOverridden));
    }

    [Fact]
    public async Task When_a_part_of_it_is_stored()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 206, "ETag: \"v\"\nCache-Control: max-age=1\nContent-Range: bytes 0-3/10", "0123");
        Assert.Equal("tidegate; fwd=uri-miss; fwd-status=206; stored; detail=ttl-override", await CallAsync("Range: bytes=0-3"));
        Assert.Equal("tidegate; hit; ttl=10; detail=ttl-override", await CallAsync("Range: bytes=1-2"));
    }

    private async Task<string?> CallAsync(string fields = "")
    {
        var answer = await _bench.CallAsync(fields: fields);
        Assert.True(answer.Exchange.IsCacheOverridden);
        return answer["Cache-Status"];
    }
}
