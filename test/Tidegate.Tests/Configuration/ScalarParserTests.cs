using System.Globalization;
using CsCheck;
using Tidegate.Configuration;
using Xunit;

namespace Tidegate.Tests.Configuration;

public sealed class ScalarParserTests
{
    [Theory]
    [InlineData("200ms", 200)]
    [InlineData("1ms", 1)]
    [InlineData("1.5s", 1_500)]
    [InlineData(".5s", 500)]
    [InlineData("5 s", 5_000)]
    [InlineData("2m", 120_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("366d", 366 * 86_400_000.0)]
    public void A_duration_is_a_number_and_its_unit(string text, double milliseconds)
    {
        Assert.True(ScalarParser.TryDuration(text, out var duration));
        Assert.Equal(milliseconds, duration.TotalMilliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("0s")]
    [InlineData("0.5ms")]
    [InlineData("-1s")]
    [InlineData("+1s")]
    [InlineData("1S")]
    [InlineData("1 sec")]
    [InlineData("1s ")]
    [InlineData("1m30s")]
    [InlineData("1.2.3s")]
    [InlineData(".s")]
    [InlineData("1e3s")]
    [InlineData("1,5s")]
    [InlineData("\u0661s")]
    [InlineData("367d")]
    [InlineData("99999999999999999999999d")]
    [InlineData("infinite")]
    public void Anything_else_is_no_duration(string text) => Assert.False(ScalarParser.TryDuration(text, out _));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("512", 512)]
    [InlineData("512B", 512)]
    [InlineData("64KB", 65_536)]
    [InlineData("64 kb", 65_536)]
    [InlineData("1.5KB", 1_536)]
    [InlineData("10MB", 10_485_760)]
    [InlineData("1024GB", 1L << 40)]
    public void A_size_is_bytes_or_powers_of_1024(string text, long bytes)
    {
        Assert.True(ScalarParser.TrySize(text, out var size));
        Assert.Equal(bytes, size);
    }

    [Theory]
    [InlineData("")]
    [InlineData("KB")]
    [InlineData("-1")]
    [InlineData("0.5")]
    [InlineData("0.0001KB")]
    [InlineData("1KiB")]
    [InlineData("1K")]
    [InlineData("1TB")]
    [InlineData("1025GB")]
    [InlineData("0x10")]
    [InlineData("10MB/s")]
    public void Anything_else_is_no_size(string text) => Assert.False(ScalarParser.TrySize(text, out _));

    [Theory]
    [InlineData("0%", 0)]
    [InlineData("12.5%", 0.125)]
    [InlineData("100 %", 1)]
    public void A_share_is_a_percentage(string text, double share)
    {
        Assert.True(ScalarParser.TryShare(text, out var parsed));
        Assert.Equal(share, parsed, precision: 9);
    }

    [Theory]
    [InlineData("")]
    [InlineData("20")]
    [InlineData("0.2")]
    [InlineData("101%")]
    [InlineData("-1%")]
    [InlineData("%")]
    public void Anything_else_is_no_share(string text) => Assert.False(ScalarParser.TryShare(text, out _));

    [Fact]
    public void Whole_numbers_of_any_unit_are_read_exactly() =>
        Gen.Select(Gen.Int[1, 1_000], Gen.OneOf("ms", "s", "m")).Sample((number, unit) =>
        {
            Assert.True(ScalarParser.TryDuration(number.ToString(CultureInfo.InvariantCulture) + unit, out var duration));
            Assert.Equal(number, unit == "ms" ? duration.TotalMilliseconds : unit == "s" ? duration.TotalSeconds : duration.TotalMinutes, precision: 6);
        });

    [Fact]
    public void No_text_makes_it_throw() => Gen.String.Sample(text =>
    {
        _ = ScalarParser.TryDuration(text, out _);
        _ = ScalarParser.TrySize(text, out _);
        _ = ScalarParser.TryShare(text, out _);
    });
}
