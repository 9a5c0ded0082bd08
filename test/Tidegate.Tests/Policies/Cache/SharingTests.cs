using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>An answer that may be one caller's alone is given to no other, whatever the configuration says.</summary>
public sealed class SharingTests
{
    /// <summary>Everything that makes an answer one caller's.</summary>
    public static TheoryData<string, string> Personal => new()
    {
        { "", "Cache-Control: private" },
        { "", "Cache-Control: private, max-age=60" },
        { "", "Set-Cookie: session=a" },
        { "Authorization: Bearer a", "" },
        { "Authorization: Bearer a", "Cache-Control: no-store" },
        { "Cookie: session=a", "" },
        { "X-Api-Key: a", "" },
        { "X-Session-Id: a", "" },
        { "Api_Token: a", "" },
        { "Authorization: Bearer a", "Set-Cookie: session=a\nCache-Control: public" },
    };

    [Theory]
    [MemberData(nameof(Personal))]
    public Task With_a_time_of_the_configuration_it_is_not_shared_by_everybody(string request, string answer) => IsNotSharedAsync(Settings(CachePartition.None, isOverride: false), request, answer);

    [Theory]
    [MemberData(nameof(Personal))]
    public Task Against_what_it_says_itself_it_is_not_shared_by_everybody(string request, string answer) => IsNotSharedAsync(Settings(CachePartition.None, isOverride: true), request, answer);

    [Theory]
    [MemberData(nameof(Personal))]
    public Task With_a_time_of_the_configuration_it_is_not_shared_by_anonymous_callers(string request, string answer) => IsNotSharedAsync(Settings(CachePartition.Consumer, isOverride: false), request, answer);

    [Theory]
    [MemberData(nameof(Personal))]
    public Task Against_what_it_says_itself_it_is_not_shared_by_anonymous_callers(string request, string answer) => IsNotSharedAsync(Settings(CachePartition.Consumer, isOverride: true), request, answer);

    [Theory]
    [MemberData(nameof(Personal))]
    public Task With_a_time_of_the_configuration_it_is_not_shared_by_callers_without_a_credential(string request, string answer) => IsNotSharedAsync(Settings(CachePartition.Credential, isOverride: false), request, answer);

    [Theory]
    [MemberData(nameof(Personal))]
    public Task Against_what_it_says_itself_it_is_not_shared_by_callers_without_a_credential(string request, string answer) => IsNotSharedAsync(Settings(CachePartition.Credential, isOverride: true), request, answer);

    [Theory]
    [InlineData(nameof(CachePartition.Credential), "Authorization: Bearer a", "Cache-Control: private, max-age=60", false)]
    [InlineData(nameof(CachePartition.Credential), "Authorization: Bearer a", "Set-Cookie: a=b", false)]
    [InlineData(nameof(CachePartition.Consumer), "Authorization: Bearer a", "", true)]
    [InlineData(nameof(CachePartition.Consumer), "X-Api-Key: a", "", false)]
    [InlineData(nameof(CachePartition.Consumer), "", "Cache-Control: private", true)]
    [InlineData(nameof(CachePartition.None), "Authorization: Bearer a", "Cache-Control: public", false)]
    [InlineData(nameof(CachePartition.None), "", "", false)]
    public async Task What_is_kept_for_one_caller_or_for_everybody_is_kept(string partition, string request, string answer, bool isOverride)
    {
        var bench = new CacheBench(Settings(Enum.Parse<CachePartition>(partition), isOverride)) { Upstream = asked => CacheBench.Answer(asked, 200, answer) };
        var consumer = new Consumer("a", "", "");
        await bench.CallAsync(fields: request, consumer: consumer);
        Assert.True((await bench.CallAsync(fields: request, consumer: consumer)).IsFromStore);
    }

    [Fact]
    public async Task A_cookie_is_a_users_and_not_its_consumers()
    {
        var bench = new CacheBench(Settings(CachePartition.Consumer, isOverride: true)) { Upstream = asked => CacheBench.Answer(asked, 200, "Set-Cookie: session=a") };
        var consumer = new Consumer("a", "", "");
        await bench.CallAsync(consumer: consumer);
        Assert.False((await bench.CallAsync(consumer: consumer)).IsFromStore);
    }

    [Fact]
    public async Task A_credential_in_a_field_of_the_key_is_told_apart_there()
    {
        var settings = Settings(CachePartition.None, isOverride: false) with { KeyHeaders = (byte[][])[[.. "Cookie"u8]] };
        var bench = new CacheBench(settings) { Upstream = asked => CacheBench.Answer(asked, 200, "", asked.RequestHeaders.Get("Cookie") ?? "none") };
        Assert.Equal("a=1", (await bench.CallAsync(fields: "Cookie: a=1")).Content);
        Assert.Equal("a=2", (await bench.CallAsync(fields: "Cookie: a=2")).Content);
        Assert.True((await bench.CallAsync(fields: "Cookie: a=1")) is { IsFromStore: true, Content: "a=1" });
    }

    [Fact]
    public async Task Fields_that_are_private_are_not_stored_against_what_the_answer_says()
    {
        var bench = new CacheBench(Settings(CachePartition.None, isOverride: true)) { Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: private=\"X-User\"\nX-User: a\nX-All: b") };
        await bench.CallAsync();
        var hit = await bench.CallAsync();
        Assert.Equal((true, null, "b"), (hit.IsFromStore, hit["X-User"], hit["X-All"]));
    }

    [Theory]
    [InlineData("X-Vendor-Key")]
    [InlineData("X-Tenant-Token")]
    [InlineData("My-Auth")]
    [InlineData("X-Shared-Secret")]
    [InlineData("Session")]
    [InlineData("X-Signature")]
    [InlineData("X_Api_Key")]
    [InlineData("Legacy-Cookie")]
    [InlineData("XAPIKEY")]
    [InlineData("X-User-Password")]
    [InlineData("X-Jwt-Assertion")]
    public async Task A_field_that_carries_a_credential_by_its_name_has_answers_of_its_own(string name)
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.Credential })
        {
            Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", asked.RequestHeaders.Get(name) ?? "none"),
        };
        Assert.Equal("a", (await bench.CallAsync(fields: name + ": a")).Content);
        Assert.Equal("b", (await bench.CallAsync(fields: name + ": b")).Content);
        Assert.Equal("none", (await bench.CallAsync()).Content);
        Assert.True((await bench.CallAsync(fields: name + ": a")) is { IsFromStore: true, Content: "a" });
    }

    private static CacheSettings Settings(CachePartition partition, bool isOverride)
    {
        var ttl = new TimeSpan?[10];
        ttl[2] = TimeSpan.FromSeconds(30);
        return new CacheSettings { Api = "api", Partition = partition, Ttl = ttl, IsOverride = isOverride };
    }

    private static async Task IsNotSharedAsync(CacheSettings settings, string request, string answer)
    {
        foreach (var other in (string[])["", request.Length == 0 ? "Authorization: Bearer b" : request[..^1] + "b"])
        {
            var bench = new CacheBench(settings) { Upstream = asked => CacheBench.Answer(asked, 200, answer) };
            await bench.CallAsync(fields: request);
            Assert.False((await bench.CallAsync(fields: other)).IsFromStore);
        }
    }
}
