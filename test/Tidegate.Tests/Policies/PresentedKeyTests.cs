using System.Text;
using CsCheck;
using Tidegate.Exchanges;
using Tidegate.Policies.Authentication;
using Xunit;

namespace Tidegate.Tests.Policies;

public sealed class PresentedKeyTests
{
    private static readonly Consumer Owner = new("owner", "", "");

    [Theory]
    [InlineData("Bearer k", "k")]
    [InlineData("bEARER  k ", "k")]
    [InlineData("Bearer a b", "a b")]
    [InlineData("Bearer ", null)]
    [InlineData("Bearer", null)]
    [InlineData("Bearer\tk", null)]
    [InlineData("Bearerk", null)]
    [InlineData("Basic k", null)]
    [InlineData("", null)]
    public void A_bearer_value_is_the_scheme_a_space_and_the_key(string value, string? expected)
    {
        var isBearer = PresentedKey.TryReadBearer(Encoding.ASCII.GetBytes(value), out var key);

        Assert.Equal(expected, isBearer ? Encoding.ASCII.GetString(key) : null);
    }

    [Fact]
    public void Basic_gives_the_key_as_password_before_the_key_as_user()
    {
        var other = new Consumer("other", "", "");
        var index = new CredentialIndex([new ApiKeyCredential("first", Owner), new ApiKeyCredential("second", other)]);

        Assert.Same(other, PresentedKey.FindByScheme(index, Basic("first:second")));
        Assert.Same(Owner, PresentedKey.FindByScheme(index, Basic("first:")));
        Assert.Same(Owner, PresentedKey.FindByScheme(index, Basic("first:unknown")));
        Assert.Null(PresentedKey.FindByScheme(index, Basic("unknown:a:second")));
    }

    [Fact]
    public void A_password_may_have_colons()
    {
        var index = new CredentialIndex([new ApiKeyCredential("a:b:c", Owner)]);

        Assert.Same(Owner, PresentedKey.FindByScheme(index, Basic("user:a:b:c")));
    }

    [Fact]
    public void A_value_longer_than_any_key_is_not_decoded() =>
        Assert.Null(PresentedKey.FindByScheme(new CredentialIndex([new ApiKeyCredential(new string('k', 2_000), Owner)]), Basic(":" + new string('k', 2_000))));

    [Fact]
    public void Any_bytes_are_a_key_or_none()
    {
        var index = new CredentialIndex([new ApiKeyCredential("k", Owner)]);
        Gen.Select(Gen.OneOf("Basic ", "Bearer ", "basic", ""), Gen.Byte.Array[0, 60]).Sample((scheme, bytes) =>
        {
            byte[] value = [.. Encoding.ASCII.GetBytes(scheme), .. bytes];
            var found = PresentedKey.FindByScheme(index, value);
            Assert.True(found is null || ReferenceEquals(found, Owner));
        });
    }

    private static byte[] Basic(string credential) => Encoding.ASCII.GetBytes("Basic " + Convert.ToBase64String(Encoding.Latin1.GetBytes(credential)));
}
