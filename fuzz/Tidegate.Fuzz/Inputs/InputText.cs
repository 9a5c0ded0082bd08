using System.Globalization;
using System.Text;

namespace Tidegate.Fuzz.Inputs;

/// <summary>Shows an input so that it can be put into a test.</summary>
internal static class InputText
{
    /// <summary>As a C# string literal whose characters are the bytes.</summary>
    public static string Literal(ReadOnlySpan<byte> input)
    {
        var text = new StringBuilder("\"");
        foreach (var value in input)
        {
            text.Append((char)value switch
            {
                '\r' => "\\r",
                '\n' => "\\n",
                '\t' => "\\t",
                '"' => "\\\"",
                '\\' => "\\\\",
                >= ' ' and <= '~' => ((char)value).ToString(),
                _ => "\\u" + value.ToString("x4", CultureInfo.InvariantCulture),
            });
        }

        return text.Append('"').ToString();
    }

    /// <summary>The smallest input found that still fails: pieces are taken out for as long as that helps.</summary>
    public static byte[] Smallest(byte[] input, Func<byte[], bool> fails)
    {
        // Bounds the time: what is left then is small enough to read.
        var tries = 2_000;
        for (var size = Math.Max(1, input.Length / 2); size >= 1; size /= 2)
        {
            for (var at = 0; at < input.Length && tries > 0; tries--)
            {
                byte[] shorter = [.. input.AsSpan(0, at), .. input.AsSpan(Math.Min(input.Length, at + size))];
                if (fails(shorter))
                {
                    input = shorter;
                }
                else
                {
                    at += size;
                }
            }
        }

        return input;
    }
}
