using System.Text;
using System.Text.Json;
using CsCheck;
using Tidegate.Edge;
using Xunit;

namespace Tidegate.Tests.Edge;

public sealed class ProblemBodyTests
{
    [Fact]
    public void A_problem_is_written_as_it_is_documented() =>
        Assert.Equal(
            """{"type":"urn:tidegate:problem:no_route","title":"Not Found","status":404,"detail":"No API's path.","code":"no_route","exchange":"00000000000000ff"}""",
            Write("no_route", 404, "Not Found", "No API's path.", 255));

    [Fact]
    public void Whatever_a_detail_says_it_reads_back_as_it_was()
    {
        var text = Gen.OneOf(Gen.Char.Array[0, 40].Select(letters => new string(letters)), Gen.OneOf("\"", "\\", "a", "\r\n", "é", "\U0001F30A", "\ud800", "'<>&", "\u2028", "\0", "\u007f").Array[0, 30].Select(string.Concat));
        Gen.Select(text, text, Gen.ULong).Sample((code, detail, exchange) =>
        {
            using var json = JsonDocument.Parse(Write(code, 503, "Service Unavailable", detail, exchange));

            Assert.Equal(
                ("urn:tidegate:problem:" + WellFormed(code), 503, WellFormed(detail), WellFormed(code), exchange.ToString("x16", null)),
                (Text(json, "type"), json.RootElement.GetProperty("status").GetInt32(), Text(json, "detail"), Text(json, "code"), Text(json, "exchange")));
        });
    }

    private static string? Text(JsonDocument json, string name) => json.RootElement.GetProperty(name).GetString();

    // Half a surrogate pair is no character.
    private static string WellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static string Write(string code, int status, string title, string detail, ulong exchange)
    {
        var buffer = new byte[ProblemBody.MaxBytes(code, detail)];
        return Encoding.UTF8.GetString(buffer, 0, ProblemBody.Write(buffer, code, status, title, detail, exchange));
    }
}
