using System.Text;

namespace Tidegate.Policies.Capture;

/// <summary>Copies server-sent events, whole or not, without what is secret in them: of a stream only lines that events have are kept, and only what can be looked through.</summary>
internal readonly struct EventRedaction(Redaction redaction)
{
    // Longer ones are no names of events, and no numbers of them.
    private const int LongestId = 64;

    public string Redact(string text)
    {
        var kept = new StringBuilder(text.Length);
        var isFurtherData = false;
        for (var i = 0; i < text.Length;)
        {
            // CR, LF and CRLF end a line alike.
            var length = text.AsSpan(i).IndexOfAny('\r', '\n') is >= 0 and var found ? found : text.Length - i;
            var line = text.Substring(i, length);
            i += length;
            var next = i + (text.AsSpan(i).StartsWith("\r\n") ? 2 : i < text.Length ? 1 : 0);
            kept.Append(Line(line, isFurtherData)).Append(text, i, next - i);
            isFurtherData = line.Length > 0 && (isFurtherData || line.StartsWith("data", StringComparison.Ordinal));
            i = next;
        }

        return kept.ToString();
    }

    private string Line(string line, bool isFurtherData)
    {
        var colon = line.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? line : line[..colon];
        var value = colon < 0 ? "" : line[(colon + 1)..].TrimStart();
        return name switch
        {
            "data" => string.Concat(line.AsSpan(0, line.Length - value.Length), Data(value, isFurtherData)),
            "" or "event" or "id" or "retry" => IsHarmless(name, value) ? line : $"{name}:{Redaction.Mask}",
            _ => Redaction.Mask,
        };
    }

    /// <summary>What is no JSON in an event is text that nobody can look through, nor is the middle of what a line before began.</summary>
    private string Data(string data, bool isFurther) =>
        data.TrimEnd() is "" or "[DONE]" ? data
        : !isFurther && data[0] is '{' or '[' or '"' ? new JsonRedaction(redaction).Redact(data)
        : Redaction.Mask;

    private bool IsHarmless(string name, string value) =>
        value.Length <= LongestId && !Redaction.LooksSecret(value) && !(name.Length == 0 && redaction.IsSecret(value)) && value.All(name switch
        {
            "" => static letter => char.IsAsciiLetter(letter) || letter is ' ' or '-',
            "retry" => char.IsAsciiDigit,
            _ => static letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-' or '/' or ':',
        });
}
