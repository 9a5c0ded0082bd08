using System.Globalization;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Xunit;

namespace Tidegate.Tests.Policies;

public sealed class RetryAfterTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("Retry-After: 7", 7_000)]
    [InlineData("Retry-After: 0", 0)]
    [InlineData("Retry-After: 0.0304", 31)]
    [InlineData("retry-after-ms: 1500", 1_500)]
    [InlineData("X-Ms-Retry-After-Ms: 250", 250)]
    [InlineData("Retry-After: 1|retry-after-ms: 1500", 1_500)]
    [InlineData("Retry-After: 2|retry-after-ms: 1500", 2_000)]
    [InlineData("Retry-After: 3|Retry-After: 9", 9_000)]
    [InlineData("Retry-After: Sun, 01 Mar 2026 12:00:30 GMT", 30_000)]
    [InlineData("Retry-After: Sunday, 01-Mar-26 12:00:30 GMT", 30_000)]
    [InlineData("Retry-After: Sun Mar  1 12:00:30 2026", 30_000)]
    [InlineData("Retry-After: Sun, 01 Mar 2026 11:59:30 GMT", 0)]
    [InlineData("Retry-After: Sun, 01 Mar 2026 12:00:30 GMT|Date: Sun, 01 Mar 2026 12:00:20 GMT", 10_000)]
    [InlineData("Retry-After: Sun, 01 Mar 2026 12:00:30 GMT|Date: Sun, 01 Mar 2026 11:00:30 GMT", 3_600_000)]
    [InlineData("Retry-After: 7|Age: 0", 7_000)]
    [InlineData("Retry-After: 100000", 86_400_000)]
    public void Says_how_long_to_stay_away(string head, int milliseconds)
    {
        Assert.True(RetryAfter.TryRead(Fields(head), Now, out var wait));
        Assert.Equal(milliseconds, wait.TotalMilliseconds);
    }

    [Theory]
    [InlineData("Content-Type: text/plain", 0)]
    [InlineData("Retry-After: 7|Age: 30", 0)]
    [InlineData("Retry-After: -7", 1)]
    [InlineData("Retry-After: soon", 1)]
    [InlineData("Retry-After: 1e9", 1)]
    [InlineData("Retry-After: 99999999999999999999999999999999999999", 1)]
    [InlineData("Retry-After: 3155760000", 1)]
    [InlineData("Retry-After: Sun, 01 Mar 2126 12:00:30 GMT", 1)]
    [InlineData("Retry-After: Sunday, 31-Feb-26 12:00:30 GMT", 1)]
    [InlineData("Retry-After: Sun Mar 99 99:99:99 2026", 1)]
    [InlineData("retry-after-ms: Sun, 01 Mar 2026 12:00:30 GMT", 1)]
    public void What_cannot_be_meant_says_nothing_and_is_counted(string head, int expected)
    {
        Assert.False(RetryAfter.TryRead(Fields(head), Now, out var wait, out var ignored));
        Assert.Equal(TimeSpan.Zero, wait);
        Assert.Equal(expected, ignored);
    }

    [Fact]
    public void Garbage_never_throws_and_never_waits_longer_than_is_believed()
    {
        var random = new Random(4);
        const string Alphabet = "0123456789.,:;-+ GMTSunMar\u00ff\"=eE";
        for (var i = 0; i < 20_000; i++)
        {
            var value = string.Create(random.Next(40), random, static (letters, source) =>
            {
                foreach (ref var letter in letters)
                {
                    letter = Alphabet[source.Next(Alphabet.Length)];
                }
            });
            RetryAfter.TryRead(Fields("Retry-After: " + value + "|Date: " + value), Now, out var wait);
            Assert.InRange(wait, TimeSpan.Zero, RetryAfter.MaxWait);
        }
    }

    [Fact]
    public void Every_date_is_read_as_it_was_written()
    {
        var random = new Random(5);
        for (var i = 0; i < 2_000; i++)
        {
            var date = Now.AddSeconds(random.NextInt64(-1_000_000_000, 1_000_000_000));
            foreach (var form in (string[])["R", "dddd, dd-MMM-yy HH:mm:ss 'GMT'", "ddd MMM d HH:mm:ss yyyy"])
            {
                var text = date.ToString(form, CultureInfo.InvariantCulture);
                text = form[0] == 'd' && form.EndsWith("yyyy", StringComparison.Ordinal) && date.Day < 10 ? text.Insert(8, " ") : text;
                Assert.True(HttpDate.TryParse(System.Text.Encoding.ASCII.GetBytes(text), Now, out DateTimeOffset read), text);
                Assert.Equal(date, read);
            }
        }
    }

    [Theory]
    [InlineData("Fri, 31 Dec 9999 23:59:60 GMT")]
    [InlineData("Sat, 01 Jan 0001 00:00:00 GMT")]
    public void A_date_at_the_end_of_time_is_one(string text)
    {
        Assert.True(HttpDate.TryParse(System.Text.Encoding.ASCII.GetBytes(text), Now, out DateTimeOffset _));
        Assert.False(RetryAfter.TryRead(Fields("Retry-After: " + text), Now, out var wait) && wait > RetryAfter.MaxWait);
    }

    private static HeaderList Fields(string head)
    {
        var fields = new HeaderList();
        foreach (var line in head.Split('|'))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            fields.Add(line[..colon], line[(colon + 1)..].Trim());
        }

        return fields;
    }
}
