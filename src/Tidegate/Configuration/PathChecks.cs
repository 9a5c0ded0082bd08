using System.Globalization;
using System.Text;
using Tidegate.Edge;

namespace Tidegate.Configuration;

/// <summary>Finds paths that no request can have: requests are matched in their canonical form (docs/reference/targets.md), so a path must be written in it.</summary>
internal static class PathChecks
{
    /// <summary>What is wrong with a path that everything below belongs to, or null.</summary>
    public static string? OfPrefix(string path, bool allowsEncodedSlash) =>
        path.AsSpan().IndexOfAny("*{}") >= 0
            ? $"'{path}' has a pattern, but this path is a prefix: everything below it belongs to the API. Write the prefix alone, and patterns under endpoints"
            : OfText(path, path, allowsEncodedSlash, canonical => canonical);

    /// <summary>What is wrong with an endpoint's pattern, or null.</summary>
    public static string? OfPattern(string pattern, bool allowsEncodedSlash)
    {
        var segments = pattern.Split('/');
        var parameters = new List<string>();
        for (var i = 0; i < segments.Length; i++)
        {
            var segment = segments[i];
            if (segment == "**" && i < segments.Length - 1)
            {
                return $"'{pattern}' can never match: '**' takes the rest of a path, so it can only be the last segment; write '*' for one segment";
            }

            var isParameter = segment is ['{', .., '}'] && segment.Length > 2 && segment.AsSpan(1, segment.Length - 2).IndexOfAny("{}*") < 0;
            if (!isParameter && segment is not ("*" or "**") && segment.AsSpan().IndexOfAny("*{}") is >= 0 and var at)
            {
                return segment[at] == '*'
                    ? $"'{pattern}' does not match what it seems to: '*' stands for a whole segment, not for a part of '{segment}'"
                    : $"'{pattern}' does not match what it seems to: a parameter is a whole segment with a name, such as '{{id}}', and '{segment}' is not";
            }

            if (isParameter)
            {
                // Stands for the braces, which no canonical path has.
                segments[i] = $"!{parameters.Count.ToString(CultureInfo.InvariantCulture)}!";
                parameters.Add(segment);
            }
        }

        return OfText(pattern, string.Join('/', segments), allowsEncodedSlash, canonical =>
            string.Join('/', canonical.Split('/').Select(segment => segment is ['!', .., '!'] && int.TryParse(segment.AsSpan(1, segment.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < parameters.Count ? parameters[number] : segment)));
    }

    private static string? OfText(string written, string path, bool allowsEncodedSlash, Func<string, string> toWritten)
    {
        if (!path.StartsWith('/'))
        {
            return $"'{written}' must start with '/'";
        }

        if (path.Contains('?', StringComparison.Ordinal))
        {
            return $"'{written}' can never match: a path ends before '?', and queries are not matched; remove it";
        }

        if (CanonicalPath.Parse(Escaped(path), mergeSlashes: true, out var canonical) is { } rejection)
        {
            return $"'{written}' can never match, because requests with it are refused: {rejection.Detail}";
        }

        if (canonical != path)
        {
            return $"'{written}' can never match, because paths are compared in their canonical form; write '{toWritten(canonical)}'";
        }

        return !allowsEncodedSlash && CanonicalTarget.HasEncodedSlash(canonical)
            ? $"'{written}' can never match, because %2F is refused on ingress; set the API's allow_encoded_slash, or write '/'"
            : null;
    }

    /// <summary>What a client would send for it: everything but printable ASCII in percent-encoded UTF-8.</summary>
    private static byte[] Escaped(string path)
    {
        var escaped = new List<byte>(path.Length);
        foreach (var value in Encoding.UTF8.GetBytes(path))
        {
            if (value is > 0x20 and < 0x7F)
            {
                escaped.Add(value);
            }
            else
            {
                escaped.AddRange(Encoding.ASCII.GetBytes("%" + value.ToString("X2", CultureInfo.InvariantCulture)));
            }
        }

        return [.. escaped];
    }
}
