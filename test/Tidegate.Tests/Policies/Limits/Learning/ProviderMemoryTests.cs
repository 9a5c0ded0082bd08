using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Learning;
using Tidegate.Policies.Limits.Signals;
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

    [Fact]
    public void What_is_known_of_windows_says_whose_where_it_stands_and_until_when_and_no_secret()
    {
        var settings = _settings with { Dialect = new SignalDialect([new WindowForm { Name = "daily", Remaining = ["x-daily-left"], Limit = ["x-daily"], Reset = ["x-daily-reset"] }], [], null, null) };
        var memory = _store.ProviderOf("api");
        var learning = new ProviderLearning(settings, memory, _store);
        var named = Call("Bearer one");
        named.ProviderKey = new ProviderKey("first", 17);
        var callers = Call("Bearer sk-secret");
        callers.Consumer = new Consumer("partner", "acme", "");
        Learn(learning.For(named).Wide, "daily", 1_000, 10, 60);
        Learn(learning.For(callers).Wide, "another", 100, 99, 30);
        var known = memory.Windows().OrderBy(window => window.Of, StringComparer.Ordinal).ToList();

        Assert.Equal(["a key of partner: ratelimit 99 of 100, 30 s, says ratelimit", "key first: daily 10 of 1000, 60 s, says x-daily-left"], known.Select(window => $"{window.Of}: {window.Name} {window.State.Remaining} of {window.State.Limit}, {window.State.ResetsIn.TotalSeconds} s, says {window.Field}"));
        Assert.Equal(0.99, known[1].Used!.Value, 3);
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Empty(memory.Windows());
    }

    [Fact]
    public void Windows_of_several_accounts_say_which_destination_is_whose()
    {
        var settings = new LearningSettings { PerDestination = true };
        var memory = _store.ProviderOf("api");
        var learning = new ProviderLearning(settings, memory, _store);
        foreach (var account in (string[])["https://east.test", "https://west.test"])
        {
            var call = Call("Bearer one");
            call.DestinationAccount = account;
            Learn(learning.For(call).Wide, "daily", 1_000, 10, 60);
        }

        Assert.Equal(["https://east.test", "https://west.test"], memory.Windows().Select(window => window.Of).Order(StringComparer.Ordinal));
    }

    private void Learn(LearnedScope scope, string name, long limit, long remaining, int resetSeconds)
    {
        var number = SignalName.Of(Encoding.UTF8.GetBytes(name));
        var window = SignalWindow.Of(number) with { Limit = limit, Remaining = remaining, ResetTicks = TimeSpan.FromSeconds(resetSeconds).Ticks };
        scope.Window(scope.WindowOf(number)).Learn(in window, 0, _time.GetTimestamp(), _time.GetTimestamp());
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
