using Tidegate.Configuration;
using Tidegate.Dashboard.SignIn;
using Tidegate.Forwarding;
using Xunit;

namespace Tidegate.Tests.Configuration;

public sealed class SignInConfigTests
{
    private const string Hash = "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    [Theory]
    [InlineData("{}", "sign_in names nobody; list users, or set oidc")]
    [InlineData("{ users: [{ name: ana, password: \"hunter2\" }] }", "write what tidegate password prints: $argon2id$v=19$m=…,t=…,p=1$SALT$HASH")]
    [InlineData("{ users: [{ name: ana, password: \"$argon2id$v=19$m=1048576,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }] }", "m is 8 to 262144 (KiB) and t 1 to 20")]
    [InlineData("{ users: [{ name: ana, password: \"$argon2id$v=19$m=64,t=1,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAA\" }] }", "of an Argon2id hash m, t and p=1 are read: write what tidegate password prints: $argon2id$v=19$m=…,t=…,p=1$SALT$HASH")]
    [InlineData("{ users: [{ name: ana, password: \"$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }] }", "the salt has 16 bytes and the hash 16 to 64, in Base64 without padding")]
    [InlineData("{ users: [{ name: ana, password: \"" + Hash + "\" }, { name: ana, password: \"" + Hash + "\" }] }", "there are two users 'ana'; each needs a name of its own")]
    [InlineData("{ users: [{ name: ana, password: \"" + Hash + "\", role: operator, tenants: [acme] }] }", "what operators and admins do is no single tenant's; leave tenants out, or make role viewer")]
    [InlineData("{ users: [{ name: ana, password: \"" + Hash + "\" }], session: 1m }", "session is 5m to 7d")]
    [InlineData("{ oidc: { issuer: http://login.example.com, client_id: a, grants: [{ value: x }] } }", "'http://login.example.com' is no issuer; write an https URL without query, for example https://login.example.com/realms/main")]
    [InlineData("{ oidc: { issuer: https://login.example.com, client_id: a, grants: [] } }", "grants lets nobody in; write for example: grants: [{ value: platform-team, role: admin }]")]
    [InlineData("{ oidc: { issuer: https://login.example.com, client_id: a, public_url: tidegate, grants: [{ value: x }] } }", "'tidegate' is no address; write scheme and host, for example https://tidegate.example.com")]
    public async Task What_is_wrong_is_said_where_it_stands(string signIn, string expected)
    {
        var (_, problems) = await CompileAsync(signIn);

        Assert.EndsWith(" error: " + expected, Assert.Single(problems, problem => problem.Severity == ConfigSeverity.Error).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task People_make_an_address_off_loopback_as_good_as_a_token_does()
    {
        var (compiled, problems) = await CompileAsync("{ users: [{ name: ana, password: \"" + Hash + "\", tenants: [acme] }], oidc: { issuer: https://login.example.com, client_id: a, grants: [{ value: x }, { value: y, role: admin }] } }", "0.0.0.0:9900");

        Assert.Empty(problems);
        var signIn = compiled!.Control.Admin!.SignIn!;
        Assert.Equal((AdminRole.Viewer, "acme"), (signIn.Users["ana"].Role, Assert.Single(signIn.Users["ana"].Tenants)));
        Assert.Equal(["y", "x"], signIn.Oidc!.Grants.Select(grant => grant.Value));
        Assert.Equal(TimeSpan.FromHours(12), signIn.SessionLife);
    }

    [Fact]
    public void A_hash_is_read_as_it_was_written_and_fits_one_password()
    {
        var written = Passwords.Hash("correct horse battery").ToString();

        Assert.Null(PasswordHash.Parse(written, out var hash));
        Assert.Equal(written, hash!.ToString());
        Assert.True(Passwords.Fits("correct horse battery", hash));
        Assert.False(Passwords.Fits("correct horse batterY", hash));
        Assert.NotEqual(written, Passwords.Hash("correct horse battery").ToString());
    }

    private static async Task<(CompiledConfiguration? Compiled, IReadOnlyList<ConfigProblem> Problems)> CompileAsync(string signIn, string address = "127.0.0.1:9900")
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var loaded = ConfigurationLoader.LoadText($"listeners: {{ egress: {{ address: 127.0.0.1:8080 }}, admin: {{ address: {address}, sign_in: {signIn} }} }}\n", "t.yaml");
        return SnapshotCompiler.Compile(loaded, new CompilerServices(forwarder, TimeProvider.System));
    }
}
