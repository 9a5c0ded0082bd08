using CsCheck;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Recording;

public sealed class QueryMaskTests
{
    [Theory]
    [InlineData(null, null)]
    [InlineData("", "")]
    [InlineData("a=1&b=2", "a=***&b=***")]
    [InlineData("a=", "***")]
    [InlineData("c2VjcmV0LXRva2VuLTEyMzQ1Ng==", "***")]
    [InlineData("a=1&c2VjcmV0=", "a=***&***")]
    [InlineData("a=b=c", "a=***")]
    [InlineData("=secret", "=***")]
    [InlineData("token", "***")]
    [InlineData("a=1&token&&b=%20", "a=***&***&***&b=***")]
    [InlineData("user%5Bname%5D=x", "user%5Bname%5D=***")]
    public void Names_stay_and_values_go(string? query, string? expected) => Assert.Equal(expected, QueryMask.Mask(query));

    [Fact]
    public void No_value_is_ever_shown_and_the_length_is_bounded()
    {
        var value = Gen.String[Gen.Char['A', 'Z'], 0, 30];
        var name = Gen.String[Gen.Char['a', 'z'], 0, 10];
        Gen.Select(name, value, Gen.OneOf("=", "")).Array[0, 200].Sample(pairs =>
        {
            var masked = QueryMask.Mask(string.Join('&', pairs.Select(pair => pair.Item3.Length > 0 ? $"{pair.Item1}={pair.Item2}" : pair.Item2)))!;

            Assert.DoesNotContain(masked, char.IsAsciiLetterUpper);
            Assert.InRange(masked.Length, 0, 1_027);
            Assert.Equal(masked.Length > 1_024, masked.EndsWith("...", StringComparison.Ordinal));
        });
    }
}
