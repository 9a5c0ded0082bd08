using System.Text;
using Tidegate.Edge;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>What a webhook's content makes of the names that the configuration has places for it in; and purges by who an answer is for.</summary>
public sealed class PurgePlanTests
{
    private readonly CacheBench _bench = new();

    public PurgePlanTests() => _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nSurrogate-Key: all product-" + asked.Target.Path[1..], asked.Target.Path);

    [Theory]
    [InlineData("{\"id\":\"1\"}", "product-{/id}", "/1")]
    [InlineData("{\"id\":1}", "product-{/id}", "/1")]
    [InlineData("{\"id\":[\"1\",\"2\"]}", "product-{/id}", "/1 /2")]
    [InlineData("{\"a/b\":{\"~\":[{\"id\":\"2\"}]}}", "product-{/a~1b/~0/0/id}", "/2")]
    [InlineData("{\"kind\":\"product\",\"id\":\"2\"}", "{/kind}-{/id}", "/2")]
    [InlineData("{\"id\":\"1\"}", "all", "/1 /2 /3")]
    [InlineData("{\"id\":\"1\"}", "product-{/other}", "")]
    [InlineData("{\"id\":null}", "product-{/id}", "")]
    [InlineData("{\"id\":{\"x\":1}}", "product-{/id}", "")]
    [InlineData("{\"id\":[]}", "product-{/id}", "")]
    [InlineData("[]", "product-{/0}", "")]
    [InlineData("no json", "product-{/id}", "/1 /2 /3")]
    [InlineData("no json", "product-1", "/1")]
    [InlineData("{\"id\":\"\\ud800\"}", "product-{/id}", "/1 /2 /3")]
    [InlineData("{\"id\":[\"1\",\"\\udc00x\"]}", "product-{/id}", "/1 /2 /3")]
    public async Task A_tag_takes_what_the_content_says(string content, string tag, string gone)
    {
        await PurgesAsync(content, new PurgePlan { Api = "api", Tags = [Template(tag)], Targets = Targets }, gone);
    }

    [Fact]
    public async Task More_than_can_be_named_purges_everything()
    {
        var ids = string.Join(',', Enumerable.Range(100, 100));
        await PurgesAsync($"{{\"id\":[{ids}]}}", new PurgePlan { Api = "api", Tags = [Template("product-{/id}")], Targets = Targets }, "/1 /2 /3");
        await PurgesAsync($"{{\"id\":\"{new string('x', 600)}\"}}", new PurgePlan { Api = "api", Tags = [Template("product-{/id}")], Targets = Targets }, "/1 /2 /3");
        await PurgesAsync("{}", new PurgePlan { Api = "api", Targets = Targets }, "/1 /2 /3");
    }

    [Fact]
    public async Task A_url_takes_it_as_one_segment_whatever_it_says()
    {
        var plan = new PurgePlan { Api = "api", Urls = [Template("https://api.test/{/id}")], Targets = Targets };
        await PurgesAsync("{\"id\":\"2\"}", plan, "/2");
        await PurgesAsync("{\"id\":\"../2\"}", plan, "");
        await PurgesAsync("{\"id\":\"x/../2\"}", plan, "");
        await PurgesAsync("{\"id\":\"3\"}", new PurgePlan { Api = "api", Prefixes = [Template("https://api.test/{/id}")], Targets = Targets }, "/3");
    }

    [Theory]
    [InlineData("")]
    [InlineData("a{b")]
    [InlineData("a{}")]
    [InlineData("a{id}")]
    public void What_is_no_pointer_is_said(string text) => Assert.NotNull(PurgeTemplate.Parse(text).Problem);

    [Fact]
    public async Task What_is_kept_for_one_consumer_goes_and_what_is_kept_for_others_stays()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.Consumer });
        var (shop, app) = (new Tidegate.Exchanges.Consumer("shop", "", ""), new Tidegate.Exchanges.Consumer("app", "", ""));
        foreach (var consumer in new[] { shop, app, null })
        {
            await bench.CallAsync(consumer: consumer);
        }

        bench.Cache.PurgeConsumer("shop", isSoft: false);
        Assert.False((await bench.CallAsync(consumer: shop)).IsFromStore);
        Assert.True((await bench.CallAsync(consumer: app)).IsFromStore);
        Assert.True((await bench.CallAsync()).IsFromStore);
        bench.Cache.PurgeConsumer("anonymous", isSoft: false);
        Assert.False((await bench.CallAsync()).IsFromStore);
        Assert.True((await bench.CallAsync(consumer: app)).IsFromStore);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public async Task What_is_kept_for_a_credential_goes_also_where_it_was_one_of_several(int injected)
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.Credential, InjectedCredential = (UInt128)injected });
        string[] calls = ["Authorization: Bearer a", "authorization: Bearer a\nX-Token: t", "Authorization: Bearer b", "Authorization: Bearer b\nX-Token: t", ""];
        foreach (var call in calls)
        {
            await bench.CallAsync(fields: call);
        }

        bench.Cache.PurgeCredential("AUTHORIZATION", "Bearer a", isSoft: false, [7]);
        bool[] expected = [false, false, true, true, true];
        for (var i = 0; i < calls.Length; i++)
        {
            Assert.Equal(expected[i], (await bench.CallAsync(fields: calls[i])).IsFromStore);
        }

        bench.Cache.PurgeCredential("X-Token", "t", isSoft: false, [7]);
        expected = [true, false, true, false, true];
        for (var i = 0; i < calls.Length; i++)
        {
            Assert.Equal(expected[i], (await bench.CallAsync(fields: calls[i])).IsFromStore);
        }
    }

    private static PurgeTemplate Template(string text) => PurgeTemplate.Parse(text).Template!;

    private static IReadOnlyList<string> Targets(string url) => StoredUrls.Of(url, out _);

    private async Task PurgesAsync(string content, PurgePlan plan, string gone)
    {
        string[] paths = ["/1", "/2", "/3"];
        foreach (var path in paths)
        {
            await _bench.CallAsync(path: path);
        }

        PurgePlan.Apply([plan], Encoding.UTF8.GetBytes(content), _bench.Cache);
        var asked = new List<string>();
        foreach (var path in paths)
        {
            if (!(await _bench.CallAsync(path: path)).IsFromStore)
            {
                asked.Add(path);
            }
        }

        Assert.Equal(gone, string.Join(' ', asked));
    }
}
