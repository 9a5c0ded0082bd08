using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>What an answer to HEAD says of the stored answer to GET (RFC 9111 4.3.5).</summary>
public sealed class HeadTests
{
    private const string Modified = "Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT";

    private readonly CacheBench _bench = new();

    [Theory]
    [InlineData("ETag: \"v\"", "ETag: \"v\"")]
    [InlineData("ETag: \"v\"", "ETag: \"v\"\nContent-Length: 7")]
    [InlineData("ETag: \"v\"", "ETag: \"v\"\nContent-Length: 8")]
    [InlineData(Modified, Modified)]
    [InlineData("ETag: \"v\"\n" + Modified, "ETag: \"v\"")]
    public async Task What_has_the_same_validators_is_fresh_again_with_the_new_fields(string stored, string head)
    {
        await StoreAsync(stored);
        Upstream($"Cache-Control: max-age=60\nX-Said: head\n{head}");
        Assert.Equal("head", (await _bench.CallAsync("HEAD"))["X-Said"]);

        _bench.Time.Advance(TimeSpan.FromSeconds(50));
        var hit = await _bench.CallAsync();
        Assert.Equal((true, "content", "head", "50", "tidegate; hit; ttl=10"), (hit.IsFromStore, hit.Content, hit["X-Said"], hit["Age"], hit["Cache-Status"]));
        Assert.Equal(1, hit.Exchange.ResponseHeaders.CountOf(KnownHeader.ETag) + (stored.Contains("ETag", StringComparison.Ordinal) ? 0 : 1));
        _bench.Time.Advance(TimeSpan.FromSeconds(11));
        Assert.False((await _bench.CallAsync()).IsFromStore);
        Assert.Empty(_bench.Bugs);
    }

    [Theory]
    [InlineData("ETag: \"v\"", "ETag: \"w\"")]
    [InlineData(Modified, "Last-Modified: Mon, 23 Nov 2026 10:00:01 GMT")]
    [InlineData("X-A: 1", "ETag: \"v\"")]
    [InlineData("X-A: 1", "Content-Length: 8")]
    [InlineData("ETag: \"v\"", "ETag: \"v\"\nCache-Control: no-store")]
    public async Task What_has_others_is_not_used_any_more_even_where_it_was_fresh_yet(string stored, string head)
    {
        await StoreAsync(stored, pass: 5);
        Upstream(head);
        await _bench.CallAsync("HEAD", fields: "Cache-Control: no-cache");
        Assert.False((await _bench.CallAsync()).IsFromStore);
    }

    [Theory]
    [InlineData(Modified, Modified)]
    [InlineData("ETag: W/\"v\"", "ETag: W/\"v\"")]
    [InlineData("ETag: \"v\"", "X-B: 1")]
    public async Task What_has_another_length_alone_is_kept_and_the_upstream_is_asked_whether_it_holds(string stored, string head)
    {
        await StoreAsync(stored, pass: 5);
        Upstream($"Cache-Control: max-age=60\n{head}\nContent-Length: 8");
        await _bench.CallAsync("HEAD", fields: "Cache-Control: no-cache");
        _bench.Upstream = asked => asked.RequestHeaders.Contains(KnownHeader.IfNoneMatch) || asked.RequestHeaders.Contains(KnownHeader.IfModifiedSince)
            ? CacheBench.Answer(asked, 304, "Cache-Control: max-age=60\n" + stored, MessageBody.Empty)
            : CacheBench.Answer(asked, 200, "Cache-Control: no-store", "newer");
        Assert.True((await _bench.CallAsync()) is { Cache: CacheResult.HitValidated, Content: "content" });
        Assert.True((await _bench.CallAsync()) is { IsFromStore: true, Content: "content" });
    }

    [Theory]
    [InlineData("ETag: \"v\"", "Content-Length: 7", 200)]
    [InlineData("X-A: 1", "X-B: 1", 200)]
    [InlineData("X-A: 1", "Content-Length: 7", 200)]
    [InlineData("ETag: \"v\"", "ETag: \"w\"", 404)]
    [InlineData("ETag: \"v\"", "ETag: \"w\"", 503)]
    [InlineData("ETag: \"v\"", "ETag: \"w\"", 304)]
    public async Task What_says_too_little_changes_nothing(string stored, string head, int status)
    {
        await StoreAsync(stored, pass: 5);
        Upstream("Cache-Control: max-age=60\n" + head, status);
        await _bench.CallAsync("HEAD", fields: "Cache-Control: no-cache");
        Assert.True((await _bench.CallAsync()) is { IsFromStore: true, Content: "content" });
        _bench.Time.Advance(TimeSpan.FromSeconds(6));
        Assert.False((await _bench.CallAsync()).IsFromStore);
    }

    [Fact]
    public async Task It_says_nothing_of_an_answer_that_came_after_it_was_asked()
    {
        await StoreAsync("ETag: \"v\"");
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _bench.Upstream = async asked =>
        {
            if (asked.Method == "HEAD")
            {
                await gate.Task;
                await CacheBench.Answer(asked, 200, "Cache-Control: max-age=600\nETag: \"v\"", new HeadBody(null));
                return;
            }

            await CacheBench.Answer(asked, 200, "Cache-Control: max-age=30\nETag: \"w\"", "newer");
        };
        var head = _bench.CallAsync("HEAD");
        _bench.Time.Advance(TimeSpan.FromSeconds(1));
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(1));
        gate.SetResult();
        await head.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.True((await _bench.CallAsync()) is { IsFromStore: true, Content: "newer" });
    }

    [Fact]
    public async Task What_was_purged_while_it_was_asked_stays_purged()
    {
        await StoreAsync("ETag: \"v\"");
        _bench.Upstream = asked =>
        {
            _bench.Cache.PurgeUrl("api.test/a", isSoft: false);
            return CacheBench.Answer(asked, 200, "Cache-Control: max-age=600\nETag: \"v\"", new HeadBody(null));
        };
        await _bench.CallAsync("HEAD");
        Assert.False((await _bench.CallAsync()).IsFromStore);
    }

    [Fact]
    public async Task It_is_about_the_variant_that_it_would_have_been()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=10\nETag: \"v\"\nVary: Accept-Language", asked.RequestHeaders.Get("Accept-Language")!);
        await _bench.CallAsync(fields: "Accept-Language: de");
        await _bench.CallAsync(fields: "Accept-Language: en");
        Upstream("Cache-Control: max-age=60\nETag: \"w\"\nVary: Accept-Language");
        await _bench.CallAsync("HEAD", fields: "Accept-Language: de\nCache-Control: no-cache");
        Assert.Equal("en", (await _bench.CallAsync(fields: "Accept-Language: en")).Content);
        Assert.False((await _bench.CallAsync(fields: "Accept-Language: de")).IsFromStore);
    }

    private async Task StoreAsync(string fields, int pass = 20)
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=10\nX-Said: get\n" + fields);
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(pass));
    }

    private void Upstream(string head, int status = 200) => _bench.Upstream = asked => asked.Method == "HEAD"
        ? CacheBench.Answer(asked, status, string.Join('\n', head.Split('\n').Where(static line => !line.StartsWith("Content-Length", StringComparison.Ordinal))), new HeadBody(LengthOf(head)))
        : CacheBench.Answer(asked, 200, "Cache-Control: no-store", "newer");

    /// <summary>As the gateway has it: off the fields, and with the content that does not come.</summary>
    private static long? LengthOf(string head) =>
        head.Split('\n').FirstOrDefault(static line => line.StartsWith("Content-Length", StringComparison.Ordinal)) is { } line ? long.Parse(line.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture) : null;

    private sealed class HeadBody(long? length) : MessageBody
    {
        public override long? Length => length;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => default;
    }
}
