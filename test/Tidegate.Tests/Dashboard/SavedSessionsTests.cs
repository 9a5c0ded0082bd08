using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Control.Admin;
using Tidegate.Dashboard.SignIn;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>Who is signed in when the gateway is restarted, and who is not any more.</summary>
public sealed class SavedSessionsTests : IAsyncDisposable
{
    private const string TheToken = "a-token-of-some-length";
    private static readonly TimeSpan Life = TimeSpan.FromHours(12);

    private readonly FakeTimeProvider _time = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-sessions-").FullName;
    private readonly List<string> _log = [];
    private readonly List<Sessions> _opened = [];

    private string FilePath => Path.Combine(_directory, SessionFile.Name);

    [Fact]
    public async Task Whoever_is_signed_in_stays_so_over_a_restart()
    {
        var access = Ana();
        var (sessions, key) = await BeginAsync(access, AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"));
        Assert.NotNull(sessions.Find(key, access, out _));
        _time.Advance(TimeSpan.FromHours(1));

        var caller = Restart(access).Find(key, access, out var ended)!;
        Assert.True(caller.IsSame(AdminCaller.Of("ana", AdminRole.Viewer, ["acme"])));
        Assert.False(ended.IsCancellationRequested);
        var again = Restart(access);
        Assert.NotNull(again.Find(key, access, out ended));
        _time.Advance(TimeSpan.FromHours(11));
        Assert.True(ended.IsCancellationRequested);
        Assert.Null(again.Find(key, access, out _));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task Who_signed_in_with_the_token_or_by_a_provider_stays_so_too()
    {
        var oidc = new AdminAccess(new IPEndPoint(IPAddress.Loopback, 9900), null, new SignInSettings(new Dictionary<string, UserSettings>(), Provider("client-secret-1"), Life));
        foreach (var (access, proof, caller) in ((AdminAccess, SignInProof, AdminCaller)[])[(Token(TheToken), SignInProof.Token, AdminCaller.Token), (oidc, SignInProof.Oidc, AdminCaller.Of("ana (oidc 1)", AdminRole.Admin, []))])
        {
            var (_, key) = await BeginAsync(access, caller, proof);
            Assert.True(Restart(access).Find(key, access, out _)!.IsSame(caller));
        }
    }

    [Fact]
    public async Task Who_signed_out_stays_so()
    {
        var access = Ana();
        var (sessions, key) = await BeginAsync(access, AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"));
        sessions.End(key);
        await sessions.Saved;

        Assert.Null(Restart(access).Find(key, access, out _));
        Assert.False(File.Exists(FilePath));
    }

    [Fact]
    public async Task A_session_whose_time_is_over_does_not_come_back_and_is_not_kept()
    {
        var access = Ana();
        var (sessions, key) = await BeginAsync(access, AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"));
        var before = await File.ReadAllBytesAsync(FilePath, TestContext.Current.CancellationToken);
        _time.Advance(Life);
        await sessions.Saved;
        Assert.False(File.Exists(FilePath));

        await File.WriteAllBytesAsync(FilePath, before, TestContext.Current.CancellationToken);
        var next = Restart(access);
        await next.Saved;
        Assert.Null(next.Find(key, access, out _));
        Assert.False(File.Exists(FilePath));
    }

    [Theory]
    [InlineData("as it was", true)]
    [InlineData("another password", false)]
    [InlineData("another role", false)]
    [InlineData("other tenants", false)]
    [InlineData("gone", false)]
    [InlineData("no people", false)]
    public async Task People_who_are_not_as_they_were_have_to_sign_in_again_after_a_restart(string change, bool holds)
    {
        var (_, key) = await BeginAsync(Ana(), AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"));
        var access = change switch
        {
            "as it was" => Ana(),
            "another password" => Ana(2),
            "another role" => Ana(1, AdminRole.Admin),
            "other tenants" => Ana(1, AdminRole.Viewer, "acme", "globex"),
            "gone" => new AdminAccess(new IPEndPoint(IPAddress.Loopback, 9900), null, new SignInSettings(new Dictionary<string, UserSettings>(), null, Life)),
            _ => Token(TheToken),
        };
        var sessions = Restart(access);
        Assert.Equal(holds, sessions.Find(key, access, out _) is not null);
        await sessions.Saved;
        Assert.Equal(holds, File.Exists(FilePath));

        // Also when it is as it was again.
        Assert.Equal(holds, Restart(Ana()).Find(key, Ana(), out _) is not null);
    }

    [Fact]
    public async Task Another_token_and_another_provider_end_sessions_over_a_restart()
    {
        var (_, key) = await BeginAsync(Token(TheToken), AdminCaller.Token, SignInProof.Token);
        Assert.Null(Restart(Token("another-token-of-length")).Find(key, Token("another-token-of-length"), out _));

        AdminAccess Oidc(string secret) => new(new IPEndPoint(IPAddress.Loopback, 9900), null, new SignInSettings(new Dictionary<string, UserSettings>(), Provider(secret), Life));
        (_, key) = await BeginAsync(Oidc("client-secret-1"), AdminCaller.Of("ana (oidc 1)", AdminRole.Admin, []), SignInProof.Oidc);
        Assert.Null(Restart(Oidc("client-secret-2")).Find(key, Oidc("client-secret-2"), out _));
    }

    [Fact]
    public async Task A_reload_ends_sessions_whose_key_did_not_come_since_the_restart()
    {
        var (_, key) = await BeginAsync(Ana(), AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"));
        var sessions = Restart(Ana());
        sessions.EndOthers(Ana(2));
        sessions.EndOthers(Ana());
        Assert.Null(sessions.Find(key, Ana(), out _));
    }

    [Fact]
    public async Task The_file_has_neither_keys_nor_what_people_sign_in_with_and_only_its_user_may_read_it()
    {
        var (_, key) = await BeginAsync(Token(TheToken), AdminCaller.Token, SignInProof.Token);
        var text = await File.ReadAllTextAsync(FilePath, TestContext.Current.CancellationToken);
        Assert.DoesNotContain(key, text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(TheToken, text, StringComparison.Ordinal);

        // Nor what a guessed token could be held against.
        Assert.DoesNotContain(SavedSession.HashOf(TheToken), text, StringComparison.OrdinalIgnoreCase);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
        }
    }

    [Fact]
    public async Task A_session_that_somebody_gave_another_role_in_the_file_is_none()
    {
        var (_, key) = await BeginAsync(Ana(), AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"));
        var text = await File.ReadAllTextAsync(FilePath, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(FilePath, text.Replace("Viewer", "Admin", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        Assert.Null(Restart(Ana()).Find(key, Ana(), out _));
    }

    [Fact]
    public async Task A_session_goes_on_no_longer_than_one_that_begins_now()
    {
        var (_, key) = await BeginAsync(Ana(), AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"));
        var sessions = Restart(Ana(), TimeSpan.FromHours(1));
        Assert.NotNull(sessions.Find(key, Ana(), out var ended));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.True(ended.IsCancellationRequested);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"version\":2,\"sessions\":[]}")]
    [InlineData("{\"version\":1,\"sessions\":[{\"hash\":\"00\"}]}")]
    [InlineData("{\"version\":1,\"sessions\":[{\"hash\":\"00\",\"by\":\"Nothing\",\"user\":\"\",\"name\":\"\",\"role\":\"Admin\",\"ends\":\"2030-01-01T00:00:00Z\",\"seal\":\"\"}]}")]
    public async Task A_file_that_cannot_be_read_lets_nobody_in_and_people_sign_in_again(string content)
    {
        await File.WriteAllTextAsync(FilePath, content, TestContext.Current.CancellationToken);
        var sessions = Restart(Ana());
        Assert.Contains("cannot be read", Assert.Single(_log), StringComparison.Ordinal);
        var key = sessions.Begin(AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"), Ana(), Life);
        await sessions.Saved;
        Assert.NotNull(Restart(Ana()).Find(key, Ana(), out _));
    }

    [Fact]
    public async Task What_cannot_be_written_takes_nobody_back_who_signed_out_and_is_said_once()
    {
        var (sessions, key) = await BeginAsync(Ana(), AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"));
        var other = sessions.Begin(AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"), Ana(), Life);
        await sessions.Saved;
        Directory.CreateDirectory(FilePath + ".unfinished");
        sessions.End(key);
        await sessions.Saved;
        sessions.Begin(AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"), Ana(), Life);
        await sessions.Saved;
        Assert.Contains("has to sign in again after a restart", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Null(Restart(Ana()).Find(key, Ana(), out _));

        Directory.Delete(FilePath + ".unfinished");
        sessions.Begin(AdminCaller.Of("ana", AdminRole.Viewer, ["acme"]), SignInProof.User("ana"), Ana(), Life);
        await sessions.Saved;
        Assert.Equal(2, _log.Count);
        Assert.NotNull(Restart(Ana()).Find(other, Ana(), out _));
    }

    [Fact]
    public async Task No_more_are_taken_back_than_there_may_be()
    {
        var sessions = Open();
        var keys = Enumerable.Range(0, 300).Select(_ =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return sessions.Begin(AdminCaller.Token, SignInProof.Token, Token(TheToken), Life);
        }).ToList();
        await sessions.Saved;
        var next = Restart(Token(TheToken));
        Assert.Equal(256, keys.Count(key => next.Find(key, Token(TheToken), out _) is not null));
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_opened.Select(sessions => sessions.Saved));
        Directory.Delete(_directory, recursive: true);
    }

    private Sessions Open()
    {
        var sessions = new Sessions(_time, new SessionFile(FilePath, _log.Add));
        _opened.Add(sessions);
        return sessions;
    }

    private Sessions Restart(AdminAccess access, TimeSpan? life = null)
    {
        var sessions = Open();
        sessions.TakeBack(access, life ?? Life);
        return sessions;
    }

    private async Task<(Sessions Sessions, string Key)> BeginAsync(AdminAccess access, AdminCaller caller, SignInProof proof)
    {
        var sessions = Open();
        var key = sessions.Begin(caller, proof, access, Life);
        await sessions.Saved;
        return (sessions, key);
    }

    private static AdminAccess Token(string token) => new(new IPEndPoint(IPAddress.Loopback, 9900), new Secret(token), null);

    private static AdminAccess Ana() => Ana(1, AdminRole.Viewer, "acme");

    private static AdminAccess Ana(byte password) => Ana(password, AdminRole.Viewer, "acme");

    private static AdminAccess Ana(byte password, AdminRole role, params string[] tenants) => new(
        new IPEndPoint(IPAddress.Loopback, 9900),
        null,
        new SignInSettings(new Dictionary<string, UserSettings> { ["ana"] = new("ana", new PasswordHash(64, 1, new byte[16], [password]), role, tenants) }, null, Life));

    private static OidcSettings Provider(string secret) =>
        new("https://login.example.com/", "tidegate", new Secret(secret), null, ["profile"], "preferred_username", "groups", [new GrantSettings("*", AdminRole.Admin, [])]);
}
