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
    [InlineData("""{"a":-1.5e+3,"b":null,"c":hunter2,d:undefined,"e":tru""", """{"a":-1.5e+3,"b":null,"c":"***",d:"***","e":"***" """)]
    [InlineData("2026 password=hunter2", """2026 "***"="***" """)]
    [InlineData("[hunter2, 1.5, 0x1f]", """["***", 1.5, "***"]""")]
    [InlineData("""{"address_name":"a","className":"b","processName":"c","recv_value":"d","passes":2,"spinning":"e","panel":"f"}""", """{"address_name":"a","className":"b","processName":"c","recv_value":"d","passes":2,"spinning":"e","panel":"f"}""")]
    [InlineData("""{"otp_code":"1","newPin":"1","db_pass":"1","mfa_code":"1","device_code":"1","SAMLResponse":"1","passkey":"1","masterkey":"1","OTPCode":"1","userSSN":"1","cvv2":"1","dbpwd":"1"}""", """{"otp_code":"***","newPin":"***","db_pass":"***","mfa_code":"***","device_code":"***","SAMLResponse":"***","passkey":"***","masterkey":"***","OTPCode":"***","userSSN":"***","cvv2":"***","dbpwd":"***"}""")]
    [InlineData("""{"at":1764150000008,"then":"1764150000016"}""", """{"at":1764150000008,"then":"1764150000016"}""")]
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
    [InlineData("{\"password\":\"hunter2\"}", "***")]
    [InlineData("\uFEFFdata: {\"pwd\":\"x\"}\n\n", "data: {\"pwd\":\"***\"}\n\n")]
    [InlineData("event: a\rdata: {\"pwd\":\"x\"}\r\rdata: hunter2\r\n\r\n", "event: a\rdata: {\"pwd\":\"***\"}\r\rdata: ***\r\n\r\n")]
    [InlineData(": keep-alive\n:\nretry: 3000\nid: msg_1\nevent: session.updated\ndata\n\n", ": keep-alive\n:\nretry: 3000\nid: msg_1\nevent: session.updated\ndata\n\n")]
    [InlineData(": hunter2 is it\nretry: hunter2\nid: password=x\nevent: token hunter2\npassword: x\nhunter2", ":***\nretry:***\nid:***\nevent:***\n***\n***")]
    [InlineData("id: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx\n: my password hunter\n", "id:***\n:***\n")]
    [InlineData("data: {\"password\":\ndata: \"hunter2\"}\n\ndata: [DONE] hunter2\n", "data: {\"password\":\"***\"\ndata: ***\n\ndata: [\"***\"] \"***\"\n")]
    public void Of_events_only_lines_that_events_have_are_kept(string content, string expected) =>
        Assert.Equal(expected, _redaction.Content("text/event-stream; charset=utf-8", Encoding.UTF8.GetBytes(content)));

    [Theory]
    [InlineData("user=a&hunter2secretpassword&hunter2&flag", "user=a&***&***&flag")]
    [InlineData("card[number]=1&card[name]=a", "card[number]=***&card[name]=a")]
    [InlineData("note=a%20b&c=d%3Ae\r\n", "note=a%20b&c=d%3Ae\r\n")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx=x&a=b", "***&a=b")]
    [InlineData("", "")]
    [InlineData("a=", "a=")]
    public void Of_forms_what_has_no_name_is_not_kept(string content, string expected) =>
        Assert.Equal(expected, _redaction.Content("application/x-www-form-urlencoded", Encoding.UTF8.GetBytes(content)));

    [Theory]
    [InlineData("application/x-www-form-urlencoded", "hunter2")]
    [InlineData("application/x-www-form-urlencoded", "password: hunter2")]
    [InlineData("application/x-www-form-urlencoded", "password: hunter2=x")]
    [InlineData("application/x-www-form-urlencoded", "'password'=x")]
    [InlineData("application/x-www-form-urlencoded", "[1]=x")]
    [InlineData("application/x-www-form-urlencoded", "a=b\npassword=hunter2")]
    [InlineData("application/x-www-form-urlencoded", "aHVudGVyMmh1bnRlcjJodW50ZXIy=")]
    [InlineData("application/x-www-form-urlencoded", "aHVudGVyMmh1bnRlcjJodW50ZXI==")]
    [InlineData("multipart/form-data; boundary=--json", "--json\r\npassword")]
    [InlineData("text/plain; a=json", "{\"a\":1}")]
    [InlineData("application/notjson", "{\"a\":1}")]
    [InlineData("application/json", "-password hunter2")]
    [InlineData("text/event-streams", "data: {}")]
    [InlineData("application/json", "password=x&a=b")]
    [InlineData("application/json", "<password>x</password>")]
    [InlineData("application/x-www-form-urlencoded", " {\"password\":\"x\"}")]
    [InlineData("application/json", "{\0\"\0p\0w\0d\0\"\0:\01\0}\0")]
    public void Content_that_is_not_what_its_type_says_is_not_kept(string type, string content) => Assert.Null(_redaction.Content(type, Encoding.UTF8.GetBytes(content)));

    [Theory]
    [InlineData("Application/Problem+JSON; charset=utf-8", "{\"pwd\":1}", "{\"pwd\":\"***\"}")]
    [InlineData("application/x-ndjson", "{\"pwd\":1}\n{\"a\":1}\n", "{\"pwd\":\"***\"}\n{\"a\":1}\n")]
    [InlineData("application/json-seq", "\u001E{\"pwd\":1}\n", "\u001E{\"pwd\":\"***\"}\n")]
    [InlineData("application/x-amz-json-1.1", "{\"pwd\":1}", "{\"pwd\":\"***\"}")]
    public void Every_kind_of_JSON_is_looked_through(string type, string content, string expected) => Assert.Equal(expected, _redaction.Content(type, Encoding.UTF8.GetBytes(content)));

    [Theory]
    [InlineData("Authorization", true)]
    [InlineData("X-GitHub-OTP", true)]
    [InlineData("x-github-otp", true)]
    [InlineData("X-Encryptionkey", true)]
    [InlineData("X-Spinner", false)]
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
            store.Add(1, () => Captured(made));
            SpinWait.SpinUntil(() => store.Find(made) is not null, TimeSpan.FromSeconds(60));
        }

        Assert.Equal((3, 3 * Captured(1).Bytes), (store.Count, store.Bytes));
        Assert.Null(store.Find(2));
        Assert.NotNull(store.Find(3));
    }

    [Fact]
    public void What_was_copied_under_a_configuration_that_no_longer_holds_is_not_kept_when_its_exchange_ends()
    {
        var store = new CaptureStore();
        store.Add(1, () => Captured(1));
        SpinWait.SpinUntil(() => store.Find(1) is not null, TimeSpan.FromSeconds(60));
        store.Clear(holdsFrom: 3);
        store.Add(2, () => Captured(2));
        store.Add(3, () => Captured(3));
        SpinWait.SpinUntil(() => store.Find(3) is not null && store.Pending == 0, TimeSpan.FromSeconds(60));

        Assert.Equal((1, Captured(3).Bytes), (store.Count, store.Bytes));
        Assert.NotNull(store.Find(3));
    }

    private static CapturedExchange Captured(ulong id) => new(id, "sample", new CapturedMessage([("a", "b")], "c", ""), new CapturedMessage([], null, ""));
}
