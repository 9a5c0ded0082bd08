using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>The fields that a cache reads, as they come from servers that were written by people.</summary>
public sealed class CacheFieldTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 10, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("max-age=60", 60)]
    [InlineData("MaX-aGe=60", 60)]
    [InlineData("max-age=\"60\"", 60)]
    [InlineData("max-age=60, max-age=5", 5)]
    [InlineData("max-age=5, max-age=60", 5)]
    [InlineData("max-age=99999999999999999999", int.MaxValue)]
    [InlineData("max-age=-1", 0)]
    [InlineData("max-age=1.5", 0)]
    [InlineData("max-age='60'", 0)]
    [InlineData("max-age", 0)]
    [InlineData("max-age =60", 0)]
    [InlineData("max-age= 60", 0)]
    [InlineData("extension=\"max-age=5, \\\" no-store\", max-age=60", 60)]
    [InlineData("extension=\"max-age=5", CacheControl.Absent)]
    [InlineData(",,, ,max-age=60,,", 60)]
    [InlineData("", CacheControl.Absent)]
    public void A_max_age_is_read_strictly_and_never_as_more_than_it_says(string line, int seconds)
    {
        var control = CacheControl.Read(Fields("Cache-Control", line), isRequest: false);
        Assert.Equal(seconds, control.MaxAge);
        Assert.False(control.NoStore);
    }

    [Fact]
    public void Directives_of_several_lines_are_one_list()
    {
        var fields = Fields("Cache-Control", "max-age=60");
        fields.Add("cache-control", "No-Store, private");
        var control = CacheControl.Read(fields, isRequest: false);
        Assert.True(control is { NoStore: true, Private: true, MaxAge: 60 });
    }

    [Fact]
    public void Fields_that_no_cache_and_private_name_are_left_out_and_the_rest_is_not_private()
    {
        var control = CacheControl.Read(Fields("Cache-Control", "no-cache=\"Set-Cookie, X-A\", private=\"X-B\""), isRequest: false);
        Assert.True(control is { NoCache: false, Private: false });
        Assert.Equal("Set-Cookie, X-A,X-B", control.UnstoredFields);
    }

    [Fact]
    public void A_list_of_names_that_is_too_long_to_be_read_counts_for_the_whole_answer()
    {
        var names = string.Join(", ", Enumerable.Range(0, 40).Select(i => $"X-Private-{i}"));
        var control = CacheControl.Read(Fields("Cache-Control", $"max-age=60, private=\"{names}\", no-cache=\"{names}\""), isRequest: false);
        Assert.True(control is { Private: true, NoCache: true, MaxAge: 60, UnstoredFields: null });
    }

    [Theory]
    [InlineData("max-age=60", true, 60)]
    [InlineData("max-age=60, foo, bar=?0, x=1.5, y=:AQ==:, z=(a b);q=1, d=@5", true, 60)]
    [InlineData("max-age=60;p=1", true, 60)]
    [InlineData("max-age=99999999999", true, int.MaxValue)]
    [InlineData("no-store", true, CacheControl.Absent)]
    [InlineData("Max-Age=60", false, 0)]
    [InlineData("max-age=60, &&&", false, 0)]
    [InlineData("max-age=60,", false, 0)]
    [InlineData("max-age=\"60\"", false, 0)]
    [InlineData("max-age=-5", false, 0)]
    [InlineData("max-age=1234567890123456", false, 0)]
    [InlineData("max-age =60", false, 0)]
    [InlineData("a=\"unterminated", false, 0)]
    [InlineData("a=(1 2", false, 0)]
    [InlineData("", false, 0)]
    public void A_targeted_field_is_a_valid_dictionary_or_as_if_it_were_not_there(string line, bool isValid, int seconds)
    {
        var found = TargetedControl.TryRead(Fields("CDN-Cache-Control", line), out var control);
        Assert.Equal(isValid, found);
        Assert.True(!isValid || control.MaxAge == seconds, $"{control.MaxAge}");
    }

    [Fact]
    public void The_own_targeted_field_comes_before_that_of_all_caches()
    {
        var fields = Fields("CDN-Cache-Control", "max-age=5");
        fields.Add("Tidegate-Cache-Control", "max-age=7");
        Assert.True(TargetedControl.TryRead(fields, out var control));
        Assert.Equal(7, control.MaxAge);
    }

    [Theory]
    [InlineData("Sun, 06 Nov 1994 08:49:37 GMT", 784111777)]
    [InlineData("sUN, 06 nOV 1994 08:49:37 gmt", 784111777)]
    [InlineData("Sunday, 06-Nov-94 08:49:37 GMT", 784111777)]
    [InlineData("Sun Nov  6 08:49:37 1994", 784111777)]
    [InlineData("Thursday, 18-Aug-50 02:01:18 GMT", 2544400878)]
    [InlineData("Sun, 06 Nov 1994 08:49:60 GMT", 784111800)]
    public void A_date_is_read_in_all_three_forms(string text, long seconds)
    {
        Assert.True(HttpDate.TryParse(Encoding.Latin1.GetBytes(text), Now, out long parsed));
        Assert.Equal(seconds, parsed);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("")]
    [InlineData("Sun, 6 Nov 1994 08:49:37 GMT")]
    [InlineData("Sun, 06 Nov 1994 08:49:37")]
    [InlineData("Sun, 06 Nov 1994 08:49:37 UTC")]
    [InlineData("Sun, 06 Nov 1994 8:49:37 GMT ")]
    [InlineData("Sun, 31 Feb 1994 08:49:37 GMT")]
    [InlineData("Sun, 06-Nov-1994 08:49:37 GMT")]
    [InlineData("1994-11-06T08:49:37Z")]
    [InlineData("Sun, 06 Nov 19x4 08:49:37 GMT")]
    [InlineData("Sun, 06 Nov 1994 24:49:37 GMT")]
    public void What_is_no_date_is_none(string text) => Assert.False(HttpDate.TryParse(Encoding.Latin1.GetBytes(text), Now, out long _));

    [Theory]
    [InlineData("bytes=0-1", true, 0, 2)]
    [InlineData("bytes=5-", true, 5, 5)]
    [InlineData("bytes=-3", true, 7, 3)]
    [InlineData("bytes=-30", true, 0, 10)]
    [InlineData("bytes=8-99", true, 8, 2)]
    [InlineData("bytes=10-", false, 0, 0)]
    [InlineData("bytes=-0", false, 0, 0)]
    [InlineData("bytes=3-1", null, 0, 0)]
    [InlineData("bytes=0-1,3-4", null, 0, 0)]
    [InlineData("items=0-1", null, 0, 0)]
    [InlineData("bytes=a-", null, 0, 0)]
    [InlineData("bytes=-", null, 0, 0)]
    [InlineData("bytes=99999999999999999999-", null, 0, 0)]
    public void A_range_is_a_part_or_nothing_or_not_understood(string text, bool? result, long start, long length)
    {
        Assert.Equal(result, ByteRange.Read(Encoding.ASCII.GetBytes(text), 10, out var range));
        Assert.True(result != true || range == new ByteRange(start, length), $"{range}");
    }

    [Theory]
    [InlineData("\"a\"", "\"a\"", true)]
    [InlineData("W/\"a\"", "\"a\"", true)]
    [InlineData("\"x\", W/\"y\", \"a,b\"", "\"a,b\"", true)]
    [InlineData("*", "\"a\"", true)]
    [InlineData("\"b\"", "\"a\"", false)]
    [InlineData("a", "\"a\"", false)]
    [InlineData("w/\"a\"", "\"a\"", false)]
    [InlineData("\"a", "\"a\"", false)]
    [InlineData("", "\"a\"", false)]
    [InlineData("\"\"", "", false)]
    public void A_condition_on_entity_tags_compares_them_weakly(string condition, string tag, bool matches) =>
        Assert.Equal(matches, EntityTags.AnyMatches(Fields("If-None-Match", condition), KnownHeader.IfNoneMatch, Encoding.ASCII.GetBytes(tag)));

    [Theory]
    [InlineData("Accept-Language", "en, de", "EN,de", true)]
    [InlineData("Accept-Language", "en, de", "de, en", false)]
    [InlineData("Accept-Encoding", "gzip;q=1, br", "br, gzip; q=1", true)]
    [InlineData("Accept-Encoding", "gzip", "gzip;q=0", false)]
    [InlineData("Accept-Encoding", "", "identity", false)]
    [InlineData("Accept", "text/html, */*;q=0.1", "text/html,*/*; q=0.1", true)]
    [InlineData("Accept", "text/html;charset=a", "text/html;charset=A", false)]
    [InlineData("Accept", "a/b, c/d", "c/d, a/b", false)]
    [InlineData("Accept-Encoding", "gzip, br", " br ,  GZIP", true)]
    [InlineData("Accept-Language", "en;q=0.5, de", "en, de;q=0.5", false)]
    [InlineData("Foo", "a, b", "a, b", true)]
    [InlineData("Foo", "a, b", "a,b", false)]
    [InlineData("Foo", "a,,b", "a,b", false)]
    [InlineData("Foo", "a ; b", "a;b", false)]
    [InlineData("Foo", "a, b", "b, a", false)]
    [InlineData("Foo", "a", "A", false)]
    [InlineData("Foo", "\"a, b\"", "\"a,b\"", false)]
    [InlineData("Foo", "a", "", false)]
    public void A_variant_fits_when_its_fields_mean_the_same(string name, string one, string other, bool same)
    {
        Assert.True(VaryKey.TryMake(Fields("Vary", name), Fields(name, one), out var key));
        Assert.Equal(same, VaryKey.Matches(key, Fields(name, other)));
        Assert.False(VaryKey.Matches(key, new HeaderList()));
    }

    [Fact]
    public void Two_lines_are_the_same_as_one_list_and_a_long_value_is_compared_to_its_end()
    {
        var lines = Fields("Foo", "1");
        lines.Add("Foo", "2");
        Assert.True(VaryKey.TryMake(Fields("Vary", "Foo"), lines, out var key));
        Assert.True(VaryKey.Matches(key, Fields("Foo", "1, 2")));

        var text = new string('x', 3000);
        Assert.True(VaryKey.TryMake(Fields("Vary", "Foo"), Fields("Foo", text), out key));
        Assert.True(VaryKey.Matches(key, Fields("Foo", text)));
        Assert.False(VaryKey.Matches(key, Fields("Foo", text + "y")));
        Assert.False(VaryKey.TryMake(Fields("Vary", "Foo"), Fields("Foo", new string('x', 5000)), out _));
    }

    [Theory]
    [InlineData("*")]
    [InlineData("Foo, *")]
    [InlineData(", *")]
    public void What_varies_by_everything_is_never_used_again(string vary) => Assert.False(VaryKey.TryMake(Fields("Vary", vary), new HeaderList(), out _));

    private static HeaderList Fields(string name, string value)
    {
        var fields = new HeaderList();
        fields.Add(name, value);
        return fields;
    }
}
