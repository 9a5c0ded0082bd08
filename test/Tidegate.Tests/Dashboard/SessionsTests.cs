using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Dashboard.SignIn;
using Xunit;

namespace Tidegate.Tests.Dashboard;

public sealed class SessionsTests
{
    private static readonly Secret Token = new("a-token-of-some-length");

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_session_ends_after_twelve_hours_and_closes_what_it_has_open()
    {
        var sessions = new Sessions(_time);
        var key = sessions.Begin(Token);
        _time.Advance(TimeSpan.FromHours(12) - TimeSpan.FromSeconds(1));
        Assert.True(sessions.TryFind(key, Token, out var ended));
        Assert.False(ended.IsCancellationRequested);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(ended.IsCancellationRequested);
        Assert.False(sessions.TryFind(key, Token, out _));
    }

    [Fact]
    public void Signing_out_and_another_token_end_a_session()
    {
        var sessions = new Sessions(_time);
        var (first, second) = (sessions.Begin(Token), sessions.Begin(Token));
        sessions.End(first);
        Assert.False(sessions.TryFind(first, Token, out _));
        Assert.False(sessions.TryFind(second, new Secret("another-token-of-length"), out _));
        Assert.False(sessions.TryFind(second, Token, out _));
    }

    [Fact]
    public void The_oldest_makes_room()
    {
        var sessions = new Sessions(_time);
        var first = sessions.Begin(Token);
        for (var i = 0; i < 256; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            sessions.Begin(Token);
        }

        Assert.False(sessions.TryFind(first, Token, out _));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("00")]
    public void What_is_no_key_finds_nothing(string? key) => Assert.False(new Sessions(_time).TryFind(key, Token, out _));
}
