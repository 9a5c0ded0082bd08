using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Dashboard.SignIn;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>Whoever guesses at passwords neither takes the machine nor keeps others out.</summary>
public sealed class SignInLoadTests : IDisposable
{
    private const string Password = "correct horse battery";

    // As cheap as may be: how often is what is tested.
    private static readonly PasswordHash Hash = HashOf(Password, passes: 1);

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 26, 10, 0, 0, TimeSpan.Zero));
    private readonly SignInSettings _settings = new(new Dictionary<string, UserSettings> { ["ana"] = new("ana", Hash, AdminRole.Admin, []) }, null, TimeSpan.FromHours(1));
    private readonly UserSignIn _people;

    public SignInLoadTests() => _people = new UserSignIn(_time);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("203.0.113.{0}", "203.0.114.1")]
    [InlineData("2001:db8:1:2::{0}", "2001:db8:1:3::1")]
    [InlineData("::ffff:203.0.113.{0}", "198.51.100.1")]
    [InlineData("127.0.0.1", "203.0.113.1")]
    public async Task A_network_that_tries_fresh_names_is_slowed_down_whatever_the_name_and_others_are_not(string network, string elsewhere)
    {
        string Address(int i) => string.Format(CultureInfo.InvariantCulture, network, 1 + (i % 200));
        for (var i = 0; i < SignInThrottle.FreeOfNetwork; i++)
        {
            Assert.Equal("Name or password is wrong.", await TroubleAsync($"fresh {i}", "guess", Address(i)));
        }

        Assert.Equal("Too many wrong passwords. Try again in 3 s.", await TroubleAsync("one more", "guess", Address(150)));
        Assert.Equal("Too many wrong passwords. Try again in 3 s.", await TroubleAsync("ana", Password, Address(151)));
        Assert.Equal("", await TroubleAsync("ana", Password, elsewhere));

        // One every three seconds, for as long as it goes on.
        for (var i = 0; i < 5; i++)
        {
            _time.Advance(SignInThrottle.EachOfNetwork);
            Assert.Equal("Name or password is wrong.", await TroubleAsync($"later {i}", "guess", Address(i)));
            Assert.Equal("Too many wrong passwords. Try again in 3 s.", await TroubleAsync($"too soon {i}", "guess", Address(i)));
        }

        _time.Advance(SignInThrottle.EachOfNetwork);
        Assert.Equal("", await TroubleAsync("ana", Password, Address(0)));
    }

    [Fact]
    public async Task Whoever_has_signed_in_from_a_network_still_does_while_others_there_make_names_up()
    {
        Assert.Equal("", await TroubleAsync("ana", Password, "127.0.0.1"));
        for (var i = 0; i < SignInThrottle.FreeOfNetwork; i++)
        {
            await TroubleAsync($"fresh {i}", "guess", "127.0.0.1");
        }

        Assert.Equal("Too many wrong passwords. Try again in 3 s.", await TroubleAsync("one more", "guess", "127.0.0.1"));
        Assert.Equal("Name or password is wrong.", await TroubleAsync("ana", "mistyped", "127.0.0.1"));
        Assert.Equal("", await TroubleAsync("ana", Password, "127.0.0.1"));
    }

    [Fact]
    public async Task A_name_that_has_signed_in_is_guessed_at_no_faster_from_many_addresses_of_its_network()
    {
        Assert.Equal("", await TroubleAsync("ana", Password, "203.0.113.1"));
        for (var i = 0; i < SignInThrottle.FreeOfKnown; i++)
        {
            Assert.Equal("Name or password is wrong.", await TroubleAsync("ana", "guess", $"203.0.113.{10 + i}"));
        }

        Assert.Equal("Too many wrong passwords. Try again in 3 s.", await TroubleAsync("ana", "guess", "203.0.113.100"));
        Assert.Equal("Name or password is wrong.", await TroubleAsync("bo", "guess", "203.0.113.100"));
    }

    [Fact]
    public async Task One_name_is_guessed_at_ever_more_slowly_within_what_its_network_may()
    {
        for (var i = 0; i < 4; i++)
        {
            await TroubleAsync("ana", "guess", "203.0.113.1");
        }

        Assert.Equal("Too many wrong passwords. Try again in 1 s.", await TroubleAsync("ana", Password, "203.0.113.1"));
        Assert.Equal("", await TroubleAsync("ana", Password, "203.0.113.2"));
    }

    [Fact]
    public void A_network_has_its_share_of_the_places_and_no_more()
    {
        var places = new SignInPlaces();
        Assert.Null(places.TryTake("a"));
        Assert.Null(places.TryTake("a"));
        Assert.Contains("of your network", places.TryTake("a"), StringComparison.Ordinal);
        foreach (var network in (string[])["b", "b", "c", "c", "d", "d"])
        {
            Assert.Null(places.TryTake(network));
        }

        Assert.Equal("Too many people sign in at this moment. Try again.", places.TryTake("e"));
        places.Leave("a");
        Assert.Null(places.TryTake("e"));
    }

    [Fact]
    public void A_name_that_nobody_has_costs_what_somebodys_does()
    {
        var expensive = HashOf("other", passes: 2);
        var settings = _settings with { Users = new Dictionary<string, UserSettings> { ["ana"] = new("ana", Hash, AdminRole.Admin, []), ["bo"] = new("bo", expensive, AdminRole.Viewer, []) } };
        var decoys = Enumerable.Range(0, 200).Select(i => UserSignIn.HashFor(settings, $"nobody {i}")).ToList();

        Assert.Equal([Hash, expensive], decoys.Distinct().OrderBy(hash => hash!.Passes));
        Assert.Equal(decoys, Enumerable.Range(0, 200).Select(i => UserSignIn.HashFor(settings, $"nobody {i}")));
        Assert.Same(expensive, UserSignIn.HashFor(settings, "bo"));
        Assert.Null(UserSignIn.HashFor(settings with { Users = new Dictionary<string, UserSettings>() }, "ana"));
    }

    [Fact]
    public async Task A_name_that_nobody_has_does_not_get_in_with_the_password_it_is_held_against() => Assert.Equal("Name or password is wrong.", await TroubleAsync("nobody", Password, "203.0.113.1"));

    public void Dispose() => _people.Dispose();

    private static PasswordHash HashOf(string password, int passes)
    {
        var derivation = NSec.Cryptography.PasswordBasedKeyDerivationAlgorithm.Argon2id(new NSec.Cryptography.Argon2Parameters { DegreeOfParallelism = 1, MemorySize = 64, NumberOfPasses = passes });
        var salt = new byte[16];
        return new PasswordHash(64, passes, salt, derivation.DeriveBytes(password, salt, 32));
    }

    private async Task<string> TroubleAsync(string name, string password, string address) => (await _people.TryAsync(_settings, name, password, address, Cancellation)).Trouble;
}
