using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace Tidegate.Edge;

/// <summary>The JSON of a problem (RFC 9457 3): everything that is the same in all of them is bytes already.</summary>
internal static class ProblemBody
{
    // One UTF-16 unit is at most \uXXXX.
    private const int MaxBytesPerCharacter = 6;

    // Names, punctuation, the longest reason phrase, a status and an id take less than 250 bytes.
    private const int ConstantBytes = 320;

    // The reply is never part of a page (application/problem+json), so an apostrophe can stay one.
    private static readonly JavaScriptEncoder Readable = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>Room for any problem with that code and detail.</summary>
    public static int MaxBytes(string code, string detail) => ConstantBytes + (((2 * code.Length) + detail.Length) * MaxBytesPerCharacter);

    /// <summary>Writes a problem.</summary>
    /// <param name="output">At least <see cref="MaxBytes"/>.</param>
    /// <param name="code">A rejection's or failure's.</param>
    /// <param name="status">The HTTP status.</param>
    /// <param name="title">The status' reason phrase.</param>
    /// <param name="detail">Any text.</param>
    /// <param name="exchange">The exchange's id.</param>
    /// <returns>How many bytes.</returns>
    public static int Write(Span<byte> output, string code, int status, string title, string detail, ulong exchange)
    {
        var body = new Body { Rest = output };
        body.Add("{\"type\":\"urn:tidegate:problem:"u8);
        body.AddEscaped(code);
        body.Add("\",\"title\":\""u8);
        body.AddEscaped(title);
        body.Add("\",\"status\":"u8);
        status.TryFormat(body.Rest, out var length, provider: CultureInfo.InvariantCulture);
        body.Rest = body.Rest[length..];
        body.Add(",\"detail\":\""u8);
        body.AddEscaped(detail);
        body.Add("\",\"code\":\""u8);
        body.AddEscaped(code);
        body.Add("\",\"exchange\":\""u8);
        exchange.TryFormat(body.Rest, out length, "x16", CultureInfo.InvariantCulture);
        body.Rest = body.Rest[length..];
        body.Add("\"}"u8);
        return output.Length - body.Rest.Length;
    }

    private ref struct Body
    {
        public Span<byte> Rest;

        public void Add(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(Rest);
            Rest = Rest[bytes.Length..];
        }

        public void AddEscaped(string text)
        {
            // What needs no escaping, which is nearly everything that we say, is only transcoded.
            Span<char> one = stackalloc char[MaxBytesPerCharacter * 2];
            for (var rest = text.AsSpan(); !rest.IsEmpty;)
            {
                var plain = rest.IndexOfAnyExceptInRange(' ', '~');
                var quoted = rest.IndexOfAny('"', '\\');
                var end = plain < 0 ? quoted : quoted < 0 ? plain : Math.Min(plain, quoted);
                Utf8.FromUtf16(end < 0 ? rest : rest[..end], Rest, out _, out var written);
                Rest = Rest[written..];
                if (end < 0)
                {
                    return;
                }

                var length = end + 1 < rest.Length && char.IsSurrogatePair(rest[end], rest[end + 1]) ? 2 : 1;
                Readable.Encode(rest.Slice(end, length), one, out _, out var escaped);
                Utf8.FromUtf16(one[..escaped], Rest, out _, out written);
                Rest = Rest[written..];
                rest = rest[(end + length)..];
            }
        }
    }
}
