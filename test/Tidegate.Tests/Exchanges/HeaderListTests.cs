using System.Text;
using CsCheck;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests.Exchanges;

public sealed class HeaderListTests
{
    [Fact]
    public void Fields_keep_their_order_case_and_duplicates()
    {
        var list = new HeaderList();
        list.Add("X-b", "1");
        list.Add("x-A", "2");
        list.Add("X-B", "3");

        Assert.Equal(["X-b: 1", "x-A: 2", "X-B: 3"], Lines(list));
    }

    [Theory]
    [InlineData("host", KnownHeader.Host)]
    [InlineData("TRANSFER-ENCODING", KnownHeader.TransferEncoding)]
    [InlineData("Www-Authenticate", KnownHeader.WwwAuthenticate)]
    [InlineData("HTTP2-settings", KnownHeader.Http2Settings)]
    [InlineData("transfer_encoding", KnownHeader.None)]
    [InlineData("", KnownHeader.None)]
    [InlineData("\u004Eost", KnownHeader.None)]
    public void Known_fields_are_identified_in_any_case(string name, KnownHeader expected) =>
        Assert.Equal(expected, KnownHeaders.Identify(Encoding.Latin1.GetBytes(name)));

    [Fact]
    public void Every_known_field_is_identified_by_its_own_name()
    {
        foreach (var header in Enum.GetValues<KnownHeader>().Where(header => header != KnownHeader.None))
        {
            Assert.Equal(header, KnownHeaders.Identify(KnownHeaders.Bytes(header)));
        }
    }

    [Fact]
    public void Set_replaces_every_field_of_that_name_in_any_case()
    {
        var list = new HeaderList();
        list.Add("authorization", "one");
        list.Add("x", "kept");
        list.Add("Authorization", "two");

        list.Set("AUTHORIZATION", "three");

        Assert.Equal(["x: kept", "AUTHORIZATION: three"], Lines(list));
    }

    [Fact]
    public void Any_sequence_of_changes_gives_what_a_plain_list_gives()
    {
        string[] names = ["Host", "x-one", "X-ONE", "Cookie", "weird"];
        var name = Gen.Int[0, names.Length - 1].Select(index => names[index]);
        var change = Gen.Select(Gen.Int[0, 4], name, Gen.String[Gen.Char[' ', 'ÿ'], 0, 600]);
        change.Array[0, 60].Sample(changes =>
        {
            var list = new HeaderList();
            var model = new List<(string Name, string Value)>();
            foreach (var (kind, field, value) in changes)
            {
                Apply(kind, field, value, list, model);
            }

            Assert.Equal(model.Select(entry => $"{entry.Name}: {entry.Value}"), Lines(list));
            list.Release();
        });
    }

    private static void Apply(int kind, string field, string value, HeaderList list, List<(string Name, string Value)> model)
    {
        bool Same((string Name, string Value) entry) => entry.Name.Equals(field, StringComparison.OrdinalIgnoreCase);
        switch (kind)
        {
            case 0:
                Assert.Equal(model.RemoveAll(Same) > 0, list.Remove(field));
                break;
            case 1 when model.Count > 0:
                model.RemoveAt(model.Count / 2);
                list.RemoveAt(list.Count / 2);
                break;
            case 2:
                model.RemoveAll(Same);
                model.Add((field, value));
                list.Set(field, value);
                break;
            default:
                model.Add((field, value));
                list.Add(field, value);
                break;
        }
    }

    private static IReadOnlyList<string> Lines(HeaderList list) => TestExchange.Lines(list);
}
