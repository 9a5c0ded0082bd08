using System.Text;
using Tidegate.Configuration;
using Tidegate.Forwarding;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>How much somebody may still call is told to the one who called, whatever the provider calls it.</summary>
public sealed class AllowanceTests
{
    [Theory]
    [InlineData("X-HubSpot-RateLimit-Remaining")]
    [InlineData("anthropic-ratelimit-tokens-reset")]
    [InlineData("X-App-RATE-LIMIT")]
    [InlineData("RateLimit-Policy")]
    [InlineData("Sforce-Limit-Info")]
    public async Task It_is_not_stored(string field)
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, AllowanceFields = [[.. "sforce-limit-info"u8]] })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, $"Cache-Control: max-age=10\nETag: \"v\"\n{field}: 5\nX-Kept: 1"),
        };
        Assert.Equal("5", (await bench.CallAsync())[field]);
        var hit = await bench.CallAsync();
        Assert.Equal((true, null, "1"), (hit.IsFromStore, hit[field], hit["X-Kept"]));

        // Nor what a validation says of it.
        bench.Time.Advance(TimeSpan.FromSeconds(20));
        bench.Upstream = asked => CacheBench.Answer(asked, 304, $"{field}: 4");
        await bench.CallAsync();
        Assert.Null((await bench.CallAsync())[field]);
    }

    [Theory]
    [InlineData("hosts: [shop.myshopify.com]", "x-shopify-shop-api-call-limit")]
    [InlineData("hosts: [me.my.salesforce.com], learn: off", "sforce-limit-info")]
    [InlineData("hosts: [a.test], provider: anthropic", "anthropic-ratelimit-tokens-remaining")]
    [InlineData("hosts: [a.test]", null)]
    public async Task The_fields_of_an_apis_own_provider_are_known(string api, string? field)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var loaded = ConfigurationLoader.LoadText($"listeners: {{ egress: {{ address: 127.0.0.1:0 }} }}\napis: [{{ name: x, direction: egress, {api}, cache: {{ mode: standard }} }}]", "tidegate.yaml", static _ => null);
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, new CompilerServices(forwarder, TimeProvider.System));
        Assert.True(compiled is not null, string.Join('\n', problems));
        var fields = Assert.Single(compiled.Snapshot.Plans[0].Pipeline.Policies.OfType<CachePolicy>()).Settings.AllowanceFields.Select(Encoding.ASCII.GetString);
        Assert.Equal(field is not null, field is null ? fields.Any() : fields.Contains(field));
    }
}
