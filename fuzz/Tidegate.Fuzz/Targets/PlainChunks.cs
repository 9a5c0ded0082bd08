using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Tidegate.Fuzz.Targets;

/// <summary>Chunked content (RFC 9112 7.1) read plainly, strictly and slowly: what both of our readers are compared with.</summary>
internal static partial class PlainChunks
{
    /// <summary>Between the parts of a reading. A control, so that no trailer has it.</summary>
    public const char Separator = '\u0001';

    private const int MaxLineBytes = 256;

    /// <summary>Reads all of it.</summary>
    /// <param name="text">Bytes as characters, until the connection's end.</param>
    /// <param name="maxTrailerBytes">All trailer lines together, as the reader counts them.</param>
    /// <param name="trailerLineBytes">What a line counts beside its text.</param>
    /// <param name="end">Where the next message begins, when the content is complete.</param>
    /// <returns><c>complete</c>, <c>malformed</c> or <c>truncated</c>, then the content and the trailers, with <see cref="Separator"/> between.</returns>
    public static string Read(string text, int maxTrailerBytes, int trailerLineBytes, out int end)
    {
        var content = new StringBuilder();
        var trailers = new StringBuilder();
        var at = 0;
        end = -1;
        while (true)
        {
            if (Line(text, ref at, MaxLineBytes, out var broken) is not { } line)
            {
                return $"{broken}{Separator}{content}{Separator}";
            }

            if (Size().Match(line) is not { Success: true } size)
            {
                return $"malformed{Separator}{content}{Separator}";
            }

            var count = long.Parse(size.Groups["digits"].Value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (count == 0)
            {
                break;
            }

            var taken = (int)Math.Min(count, text.Length - at);
            content.Append(text, at, taken);
            at += taken;
            if (taken < count)
            {
                return $"truncated{Separator}{content}{Separator}";
            }

            if (Line(text, ref at, MaxLineBytes, out broken) is not "")
            {
                return $"{broken}{Separator}{content}{Separator}";
            }
        }

        for (var bytes = 0; ;)
        {
            if (Line(text, ref at, maxTrailerBytes - bytes, out var broken) is not { } line)
            {
                return $"{broken}{Separator}{content}{Separator}";
            }

            if (line.Length == 0)
            {
                end = at;
                return $"complete{Separator}{content}{Separator}{trailers}";
            }

            bytes += line.Length + trailerLineBytes;
            if (Field().Match(line) is not { Success: true } field)
            {
                return $"malformed{Separator}{content}{Separator}";
            }

            trailers.Append(field.Groups["name"].Value).Append('=').Append(field.Groups["value"].Value.Trim(' ', '\t')).Append('\n');
        }
    }

    /// <summary>A line without its end. Null when there is none yet (truncated), or when it is too long or does not end in CR LF alone (malformed).</summary>
    private static string? Line(string text, ref int at, int maxBytes, out string broken)
    {
        var newLine = text.IndexOf('\n', at);
        broken = newLine < 0 && text.Length - at <= maxBytes ? "truncated" : "malformed";
        if (newLine < 0 || newLine - at > maxBytes || newLine == at || text[newLine - 1] != '\r' || text.IndexOf('\r', at) != newLine - 1)
        {
            return null;
        }

        var line = text[at..(newLine - 1)];
        at = newLine + 1;
        return line;
    }

    [GeneratedRegex("^(?<digits>[0-9A-Fa-f]{1,15})(;[\t -~\u0080-\u00ff]*)?\\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Size();

    [GeneratedRegex("^(?<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):(?<value>[\t -~\u0080-\u00ff]*)\\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Field();
}
