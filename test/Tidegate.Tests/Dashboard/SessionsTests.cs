using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Control.Admin;
using Tidegate.Dashboard.SignIn;
using Xunit;

namespace Tidegate.Tests.Dashboard;

public sealed class SessionsTests
{
    private static readonly TimeSpan Life = TimeSpan.FromHours(12);
    private static readonly AdminAccess WithToken = Access(new Secret("a-token-of-some-length"));

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_session_ends_after_its_life_and_closes_what_it_has_open()
    {
        var sessions = new Sessions(_time);
        var key = Begin(sessions);
        _time.Advance(Life - TimeSpan.FromSeconds(1));
        Assert.Equal(AdminCaller.Token, sessions.Find(key, WithToken, out var ended));
        Assert.False(ended.IsCancellationRequested);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(ended.IsCancellationRequested);
        Assert.Null(sessions.Find(key, WithToken, out _));
    }

    [Fact]
    public void Signing_out_and_another_token_end_a_session()
    {
        var sessions = new Sessions(_time);
        var (first, second) = (Begin(sessions), Begin(sessions));
        sessions.End(first);
        Assert.Null(sessions.Find(first, WithToken, out _));
        Assert.NotNull(sessions.Find(second, WithToken, out var ended));
        Assert.Null(sessions.Find(second, Access(new Secret("another-token-of-length")), out _));
        Assert.True(ended.IsCancellationRequested);
        Assert.Null(sessions.Find(second, WithToken, out _));
    }

    [Fact]
    public void Whoever_signs_in_again_in_one_browser_takes_no_place_of_the_others()
    {
        var sessions = new Sessions(_time);
        var access = Access(null, Ana(1, AdminRole.Viewer));
        var keys = Enumerable.Range(0, 32).Select(_ => Begin(null)).ToList();

        var again = Begin(keys[^1]);
        sessions.End(keys[^1]);

        Assert.All(keys.SkipLast(1).Append(again), key => Assert.NotNull(sessions.Find(key, access, out _)));

        string Begin(string? replaced)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return sessions.Begin(AdminCaller.Of("ana", AdminRole.Viewer, []), SignInProof.User("ana"), access, Life, replaced);
        }
    }

    [Theory]
    [InlineData("as it was", true)]
    [InlineData("another password", false)]
    [InlineData("another role", false)]
    [InlineData("other tenants", false)]
    [InlineData("gone", false)]
    [InlineData("no people", false)]
    public void A_reload_ends_the_sessions_of_people_who_are_not_as_they_were(string change, bool holds)
    {
        var sessions = new Sessions(_time);
        var key = sessions.Begin(AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"), Access(null, Ana(1, AdminRole.Viewer, "acme")), Life);
        Assert.NotNull(sessions.Find(key, Access(null, Ana(1, AdminRole.Viewer, "acme")), out var ended));
        sessions.EndOthers(change switch
        {
            "as it was" => Access(null, Ana(1, AdminRole.Viewer, "acme")),
            "another password" => Access(null, Ana(2, AdminRole.Viewer, "acme")),
            "another role" => Access(null, Ana(1, AdminRole.Admin)),
            "other tenants" => Access(null, Ana(1, AdminRole.Viewer, "acme", "globex")),
            "gone" => Access(null, new SignInSettings(new Dictionary<string, UserSettings>(), null, Life)),
            _ => WithToken,
        });

        Assert.Equal(!holds, ended.IsCancellationRequested);
    }

    [Fact]
    public void The_oldest_session_makes_room_and_no_key_is_found_by_guessing()
    {
        var sessions = new Sessions(_time);
        var first = Begin(sessions);
        _time.Advance(TimeSpan.FromSeconds(1));
        var others = Enumerable.Range(0, 256).Select(_ => Begin(sessions)).ToList();
        Assert.Null(sessions.Find(first, WithToken, out _));
        Assert.All(others, key => Assert.NotNull(sessions.Find(key, WithToken, out _)));
        Assert.Equal(256, others.Distinct().Count());
        Assert.Null(sessions.Find(others[0][..^1] + "x", WithToken, out _));
        Assert.Null(sessions.Find(null, WithToken, out _));
    }

    [Fact]
    public void Whoever_signs_in_again_and_again_ends_sessions_of_its_own_and_nobody_elses()
    {
        var sessions = new Sessions(_time);
        var access = Access(null, Ana(1, AdminRole.Viewer));
        var bobs = Begin(sessions);
        var anas = Enumerable.Range(0, 40).Select(_ =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return sessions.Begin(AdminCaller.Of("ana", AdminRole.Viewer, []), SignInProof.User("ana"), access, Life);
        }).ToList();

        Assert.NotNull(sessions.Find(bobs, WithToken, out _));
        Assert.Equal(32, anas.Count(key => sessions.Find(key, access, out _) is not null));
        Assert.NotNull(sessions.Find(anas[^1], access, out _));
    }

    [Fact]
    public void After_a_few_wrong_passwords_each_further_one_waits_twice_as_long_and_nobody_else_does()
    {
        var throttle = new SignInThrottle(_time);
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(TimeSpan.Zero, throttle.Wait("ana", "10.0.0.1"));
            throttle.Failed("ana", "10.0.0.1");
        }

        Assert.Equal(TimeSpan.FromSeconds(1), throttle.Wait("ana", "10.0.0.1"));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.Zero, throttle.Wait("ana", "10.0.0.1"));
        throttle.Failed("ana", "10.0.0.1");
        Assert.Equal(TimeSpan.FromSeconds(2), throttle.Wait("ana", "10.0.0.1"));
        Assert.Equal(TimeSpan.Zero, throttle.Wait("ana", "10.0.0.2"));
        Assert.Equal(TimeSpan.Zero, throttle.Wait("bob", "10.0.0.1"));
        for (var i = 0; i < 100; i++)
        {
            throttle.Failed("ana", "10.0.0.1");
        }

        Assert.Equal(TimeSpan.FromSeconds(64), throttle.Wait("ana", "10.0.0.1"));
        throttle.Succeeded("ana", "10.0.0.1");

        // Of its network's wrong ones all were used; of its own name's none are left, and it is known there from now on.
        Assert.Equal(TimeSpan.Zero, throttle.Wait("ana", "10.0.0.1"));
        Assert.Equal(SignInThrottle.EachOfNetwork, throttle.Wait("bob", "10.0.0.1"));
        _time.Advance(SignInThrottle.EachOfNetwork);
        Assert.Equal(TimeSpan.Zero, throttle.Wait("bob", "10.0.0.1"));
    }

    [Fact]
    public void Wrong_passwords_from_anywhere_in_one_ipv6_network_are_counted_together()
    {
        var throttle = new SignInThrottle(_time);
        for (var i = 1; i <= 4; i++)
        {
            throttle.Failed("ana", $"2001:db8:1:2::{i:x}");
        }

        Assert.Equal(TimeSpan.FromSeconds(1), throttle.Wait("ana", "2001:db8:1:2:ffff::1"));
        Assert.Equal(TimeSpan.Zero, throttle.Wait("ana", "2001:db8:1:3::1"));
    }

    [Fact]
    public void A_connection_knows_who_looks_and_nobody_sees_nothing()
    {
        foreach (var caller in (AdminCaller[])[AdminCaller.Anyone, AdminCaller.Of("ana", AdminRole.Viewer, ["acme", "globex"]), AdminCaller.Nobody, AdminCaller.Of("", AdminRole.Operator, [])])
        {
            var back = AdminCaller.Of(caller.ToPrincipal());
            Assert.Equal((caller.Name, caller.Role), (back.Name, back.Role));
            Assert.Equal(caller.Tenants, back.Tenants);
        }

        Assert.Equal(AdminCaller.Nobody, AdminCaller.Of(new System.Security.Claims.ClaimsPrincipal()));
        Assert.False(AdminScope.Has(AdminCaller.Nobody.Tenants, ""));
        Assert.False(AdminScope.Has(["acme"], ""));
        Assert.True(AdminScope.Has(null, ""));
    }

    private static string Begin(Sessions sessions) => sessions.Begin(AdminCaller.Token, SignInProof.Token, WithToken, Life);

    private static AdminAccess Access(Secret? token, SignInSettings? signIn = null) => new(new IPEndPoint(IPAddress.Loopback, 9900), token, signIn);

    private static SignInSettings Ana(byte password, AdminRole role, params string[] tenants) =>
        new(new Dictionary<string, UserSettings> { ["ana"] = new("ana", new PasswordHash(64, 1, new byte[16], [password]), role, tenants) }, null, Life);
}
