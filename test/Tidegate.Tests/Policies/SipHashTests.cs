using Tidegate.Policies;
using Xunit;

namespace Tidegate.Tests.Policies;

/// <summary>The vectors of the reference implementation: key 00 01 ... 0F, message 00 01 ... of each length.</summary>
public sealed class SipHashTests
{
    [Theory]
    [InlineData(0, "A3817F04BA25A8E66DF67214C7550293")]
    [InlineData(1, "DA87C1D86B99AF44347659119B22FC45")]
    [InlineData(2, "8177228DA4A45DC7FCA38BDEF60AFFE4")]
    [InlineData(3, "9C70B60C5267A94E5F33B6B02985ED51")]
    [InlineData(8, "3B62A9BA6258F5610F83E264F31497B4")]
    [InlineData(19, "78017731CF65FAB074D5208952512EB1")]
    public void It_gives_the_published_hashes(int length, string expected)
    {
        var key = new UInt128(0x0F0E0D0C0B0A0908, 0x0706050403020100);
        var message = Enumerable.Range(0, length).Select(value => (byte)value).ToArray();

        var hash = SipHash.Compute(key, message);

        var bytes = new byte[16];
        BitConverter.TryWriteBytes(bytes, hash);
        Assert.Equal(expected, Convert.ToHexString(bytes));
    }
}
