using System.Text;
using CsCheck;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests.Exchanges;

public sealed class TraceContextTests
{
    private const string Valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    public void A_traceparent_gives_trace_parent_and_flags()
    {
        Assert.True(TraceContext.TryParse(Encoding.ASCII.GetBytes(Valid), out var context));

        Assert.Equal("0af7651916cd43dd8448eb211c80319c", context.TraceId);
        Assert.Equal(0xb7ad6b7169203331, context.ParentSpanId);
        Assert.Equal((true, true, false), (context.IsValid, context.IsSampled, context.HasSpan));
        Assert.Equal(Valid, Format(context));
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra")]
    [InlineData("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [InlineData("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.extra")]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")]
    [InlineData("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x")]
    [InlineData("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [InlineData("-00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01, 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    public void Anything_else_is_none(string value) => Assert.False(TraceContext.TryParse(Encoding.Latin1.GetBytes(value), out _));

    [Theory]
    [InlineData("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [InlineData("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later")]
    public void Of_a_later_version_what_is_known_is_read_and_version_00_is_written(string value)
    {
        Assert.True(TraceContext.TryParse(Encoding.ASCII.GetBytes(value), out var context));

        Assert.Equal(Valid, Format(context));
    }

    [Fact]
    public void Flags_that_nobody_knows_yet_are_not_passed_on()
    {
        Assert.True(TraceContext.TryParse(Encoding.ASCII.GetBytes(Valid[..53] + "ff"), out var context));

        Assert.EndsWith("-03", Format(context), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_context_is_read_back_as_it_was_written() =>
        Gen.Select(Gen.ULong, Gen.ULong, Gen.ULong[1, ulong.MaxValue], Gen.Byte[0, 3]).Where((high, low, _, _) => (high | low) != 0).Sample((high, low, parent, flags) =>
        {
            var context = new TraceContext(high, low, 0, parent, flags);
            Assert.True(TraceContext.TryParse(Encoding.ASCII.GetBytes(Format(context)), out var read));
            Assert.Equal(context, read);
        });

    [Fact]
    public void No_bytes_make_it_throw_and_what_it_takes_it_writes_alike()
    {
        // Near misses find more than noise: a valid value with some bytes replaced, cut or added.
        var near = Gen.Select(Gen.Int[0, 54], Gen.Byte, Gen.Int[0, 60]).Select((position, value, length) =>
        {
            var bytes = Encoding.ASCII.GetBytes(Valid + "-tail");
            bytes[position] = value;
            return bytes[..length];
        });
        Gen.OneOf(near, Gen.Byte.Array[0, 80]).Sample(bytes =>
        {
            if (TraceContext.TryParse(bytes, out var context))
            {
                // Version and unknown flags aside, it is the same text.
                Assert.Equal(Encoding.ASCII.GetString(bytes, 2, 51), Format(context)[2..53]);
            }
        }, iter: 20_000);
    }

    private static string Format(TraceContext context)
    {
        var text = new byte[TraceContext.Length];
        context.Format(text);
        return Encoding.ASCII.GetString(text);
    }
}
