using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Learning;
using Xunit;

namespace Tidegate.Tests.Policies.Limits.Learning;

public sealed class ProviderMemoryTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 26, 12, 0, 0, TimeSpan.Zero));
    private readonly LimitStore _store;
    private readonly LearningSettings _settings = new() { PerCredential = true };

    public ProviderMemoryTests() => _store = new LimitStore(_time);

    public void Dispose() => _store.Dispose();

    [Fact]
    public void Credentials_that_nothing_is_known_of_any_more_make_room_for_new_ones()
    {
        var memory = _store.ProviderOf("api");
        var cooled = memory.ScopeOf(1, _settings);
        cooled.Cool(TimeSpan.FromHours(1), _time.GetTimestamp());
        for (var i = 2; i < 10_000; i++)
        {
            memory.ScopeOf((UInt128)i, _settings);
        }

        _time.Advance(TimeSpan.FromSeconds(11));

        Assert.NotSame(memory.ScopeOf(20_000, _settings), memory.ScopeOf(20_001, _settings));
        Assert.Same(cooled, memory.ScopeOf(1, _settings));
    }

    [Fact]
    public void At_the_bound_strangers_share_one_count_and_are_not_let_off()
    {
        var memory = _store.ProviderOf("api");
        for (var i = 1; i < 5_000; i++)
        {
            memory.ScopeOf((UInt128)i, _settings).Cool(TimeSpan.FromHours(1), _time.GetTimestamp());
        }

        Assert.Same(memory.ScopeOf(20_000, _settings), memory.ScopeOf(20_001, _settings));
    }

    [Theory]
    [InlineData("AWS4-HMAC-SHA256 Credential=AKIA1/20261126/eu/s3/aws4_request, SignedHeaders=host, Signature=aaaa", "AWS4-HMAC-SHA256 Credential=AKIA1/20261127/eu/s3/aws4_request, SignedHeaders=host, Signature=bbbb", true)]
    [InlineData("AWS4-HMAC-SHA256 Credential=AKIA1/20261126/eu/s3/aws4_request, Signature=a", "AWS4-HMAC-SHA256 Credential=AKIA2/20261126/eu/s3/aws4_request, Signature=a", false)]
    [InlineData("OAuth oauth_nonce=\"1\", oauth_consumer_key=\"me\", oauth_signature=\"x\"", "OAuth oauth_nonce=\"2\", oauth_consumer_key=\"me\", oauth_signature=\"y\"", true)]
    [InlineData("OAuth oauth_consumer_key=\"me\", oauth_signature=\"x\"", "OAuth oauth_consumer_key=\"you\", oauth_signature=\"x\"", false)]
    [InlineData("Bearer one", "Bearer two", false)]
    public void A_signature_is_its_owners_and_not_its_requests(string first, string second, bool isSame)
    {
        var learning = new ProviderLearning(_settings, _store.ProviderOf("api"), _store);
        Assert.Equal(isSame, ReferenceEquals(learning.For(Call(first)).Wide, learning.For(Call(second)).Wide));
    }

    private static Exchange Call(string authorization)
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Target = new ExchangeTarget("https", "a.test", 443, "/", null) };
        exchange.RequestHeaders.Add("authorization"u8, Encoding.ASCII.GetBytes(authorization));
        return exchange;
    }
}
