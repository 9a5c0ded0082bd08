using System.Text;
using Tidegate.Edge.Multiplexed;
using Xunit;

namespace Tidegate.Tests.Edge;

public sealed class FieldTextsTests
{
    [Fact]
    public void Every_value_is_read_as_it_is_whatever_came_before_it_in_its_place()
    {
        var texts = FieldTexts.OfThread;
        var random = new Random(1);
        for (var i = 0; i < 50_000; i++)
        {
            var bytes = new byte[random.Next(70)];
            random.NextBytes(bytes);

            // Few letters, so that many fall into one place.
            bytes = [.. bytes.Select(letter => (byte)(letter < 8 ? 0xE4 : 'a' + (letter % 3)))];
            Assert.Equal(Encoding.Latin1.GetString(bytes), texts.Of(bytes));
        }
    }

    [Fact]
    public void A_value_that_comes_again_is_the_same_text_unless_it_is_long()
    {
        Assert.Same(FieldTexts.OfThread.Of("application/json"u8), FieldTexts.OfThread.Of("application/json"u8));
        var large = Encoding.ASCII.GetBytes(new string('x', 65));
        Assert.NotSame(FieldTexts.OfThread.Of(large), FieldTexts.OfThread.Of(large));
    }
}
