using System.Text;
using Tidegate.Policies.Capture;
using Xunit;

namespace Tidegate.Tests.Policies.Capture;

/// <summary>What is taken away, whole or cut off, and what stays.</summary>
public sealed class RedactionTests
{
    private readonly Redaction _redaction = new(["customer_number"]);

    [Theory]
    [InlineData("""{"user":"a","password":"p\"w","n":1}""", """{"user":"a","password":"***","n":1}""")]
    [InlineData("""{"a":{"access_token" : 12345 , "b":[1,2]}}""", """{"a":{"access_token" : "***", "b":[1,2]}}""")]
    [InlineData("""{"client_secret":{"a":"}","b":["x"]},"c":true}""", """{"client_secret":"***","c":true}""")]
    [InlineData("""{"customer_number":null}""", """{"customer_number":"***"}""")]
    [InlineData("""{"token":"cut off he""", """{"token":"***" """)]
    [InlineData("""{"name":"password","x":"token: abc"}""", """{"name":"password","x":"token: abc"}""")]
    [InlineData("""{"prompt_count":3}""", """{"prompt_count":3}""")]
    [InlineData("[]", "[]")]
    [InlineData("""{"pass\u0077ord":"x","pwd":1,"passphrase":"x","otp":"1","id_token_hint":"x","accountKey":"x"}""", """{"pass\u0077ord":"***","pwd":"***","passphrase":"***","otp":"***","id_token_hint":"***","accountKey":"***"}""")]
    [InlineData("""{password:'a"b', n:1}""", """{password:"***", n:1}""")]
    [InlineData("""{"body":"{\"password\":\"x\"}","other":"{\"a\":1}"}""", """{"body":"***","other":"{\"a\":1}"}""")]
    [InlineData("""{"number":"4242 4242 4242 4242","order":4242424242424243,"card":4242424242424242}""", """{"number":"***","order":4242424242424243,"card":"***"}""")]
    [InlineData("""{"a":"Bearer abc","b":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx"}""", """{"a":"***","b":"***"}""")]
    [InlineData("""{"error":{"code":"declined","key":"a"},"opinion":"pinned"}""", """{"error":{"code":"declined","key":"a"},"opinion":"pinned"}""")]
    [InlineData("""{"usage":{"prompt_tokens":12},"tokens":["a"]}""", """{"usage":{"prompt_tokens":12},"tokens":"***"}""")]
    [InlineData("-1.5e3", "-1.5e3")]
    [InlineData(" true", " true")]
    [InlineData("""{"secret":[[1],{"a":[2]}]}""", """{"secret":"***"}""")]
    public void Values_of_members_that_sound_secret_are_masked_to_their_end(string content, string expected) =>
        Assert.Equal(expected.TrimEnd(), _redaction.Content("application/json", Encoding.UTF8.GetBytes(content)));

    [Fact]
    public void Events_forms_and_queries_are_looked_through_and_anything_else_is_not_kept()
    {
        Assert.Equal("data: {\"session\":\"***\"}\n\n", _redaction.Content("text/event-stream", "data: {\"session\":\"abc\"}\n\n"u8));
        Assert.Equal("user=a&pass%77ord=***&x", _redaction.Content("application/x-www-form-urlencoded", "user=a&pass%77ord=b&x"u8));
        Assert.Equal("data: ***\n\ndata: [DONE]\n", _redaction.Content("text/event-stream", "data: password=x\n\ndata: [DONE]\n"u8));
        Assert.Equal("grant_type=authorization_code&code=***&card[number]=***&number=***&x=***", _redaction.Content("application/x-www-form-urlencoded", "grant_type=authorization_code&code=a&card[number]=1&number=4242424242424242&x=%7B%22pwd%22:1%7D"u8));
        Assert.Null(_redaction.Content("image/png", "x"u8));
        Assert.Null(_redaction.Content("text/plain", "password: x"u8));
        Assert.Null(_redaction.Content("", "x"u8));
    }

    [Theory]
    [InlineData("application/json", "password=x&a=b")]
    [InlineData("application/json", "<password>x</password>")]
    [InlineData("application/x-www-form-urlencoded", " {\"password\":\"x\"}")]
    [InlineData("application/json", "{\0\"\0p\0w\0d\0\"\0:\01\0}\0")]
    public void Content_that_is_not_what_its_type_says_is_not_kept(string type, string content) => Assert.Null(_redaction.Content(type, Encoding.UTF8.GetBytes(content)));

    [Theory]
    [InlineData("Authorization", true)]
    [InlineData("Set-Cookie", true)]
    [InlineData("X-Api-Key", true)]
    [InlineData("Ocp-Apim-Subscription-Key", true)]
    [InlineData("X-Amz-Security-Token", true)]
    [InlineData("Customer_Number", true)]
    [InlineData("Content-Type", false)]
    [InlineData("Accept", false)]
    public void Fields_are_judged_by_their_names(string name, bool isSecret) => Assert.Equal(isSecret, _redaction.IsSecret(name));

    [Fact]
    public void Exchanges_under_way_are_copied_as_far_as_there_is_room_for_them()
    {
        var store = new CaptureStore { MaxBytes = 100 };
        Assert.True(store.TryCopy(60));
        Assert.False(store.TryCopy(60));
        Assert.Equal(1, store.Dropped);
        store.Copied(60);
        Assert.True(store.TryCopy(60));
    }

    [Fact]
    public void Whatever_is_cut_anywhere_never_shows_the_secret()
    {
        const string Content = """{"a":"b","tokens":{"x":"SECRET","y":["SECRET"]},"password":"SECRET","list":[{"api_key":"SECRET"}]}""";
        for (var length = 0; length <= Content.Length; length++)
        {
            Assert.DoesNotContain("SEC", _redaction.Content("application/json", Encoding.UTF8.GetBytes(Content[..length])), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_oldest_make_room_and_what_is_too_much_at_once_is_counted()
    {
        var store = new CaptureStore { MaxBytes = 3 * Captured(1).Bytes };
        for (var id = 1UL; id <= 5; id++)
        {
            var made = id;
            store.Add(() => Captured(made));
            SpinWait.SpinUntil(() => store.Find(made) is not null, TimeSpan.FromSeconds(20));
        }

        Assert.Equal((3, 3 * Captured(1).Bytes), (store.Count, store.Bytes));
        Assert.Null(store.Find(2));
        Assert.NotNull(store.Find(3));
    }

    private static CapturedExchange Captured(ulong id) => new(id, "sample", new CapturedMessage([("a", "b")], "c", ""), new CapturedMessage([], null, ""));
}
