using System.Text;
using CsCheck;
using Tidegate.Exchanges;
using Tidegate.Policies.Authentication;
using Xunit;

namespace Tidegate.Tests.Policies;

public sealed class CredentialIndexTests
{
    private static readonly Gen<string> Key = Gen.String[Gen.Char['!', '~'], 1, 40];

    [Fact]
    public void It_finds_what_a_dictionary_finds_also_for_wrong_keys_of_equal_length() =>
        Gen.Select(Key.Array[0, 20], Key.Array[0, 5], Gen.Int[0, 39], Gen.Int[1, 94]).Sample((keys, strangers, at, shift) =>
        {
            var owners = keys.Distinct().ToDictionary(key => key, key => new Consumer(key, "", ""));
            var index = new CredentialIndex(owners.Select(owner => new ApiKeyCredential(owner.Key, owner.Value)));

            foreach (var presented in keys.Concat(strangers).Concat(keys.Select(key => ChangeOne(key, at % key.Length, shift))).Concat(keys.Select(key => key[1..])).Append(""))
            {
                Assert.Same(owners.GetValueOrDefault(presented), index.Find(Encoding.ASCII.GetBytes(presented)));
            }
        });

    [Fact]
    public void A_key_that_is_empty_or_given_twice_is_a_bug_of_the_compiler_and_its_message_shows_no_key()
    {
        var consumer = new Consumer("billing", "", "");

        Assert.Throws<ArgumentException>(() => new CredentialIndex([new ApiKeyCredential("", consumer)]));
        var twice = Assert.Throws<ArgumentException>(() => new CredentialIndex([new ApiKeyCredential("secret-key", consumer), new ApiKeyCredential("secret-key", consumer)]));
        Assert.DoesNotContain("secret-key", twice.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-key", new ApiKeyCredential("secret-key", consumer).ToString(), StringComparison.Ordinal);
    }

    private static string ChangeOne(string key, int at, int shift) => key[..at] + (char)('!' + ((key[at] - '!' + shift) % 94)) + key[(at + 1)..];
}
