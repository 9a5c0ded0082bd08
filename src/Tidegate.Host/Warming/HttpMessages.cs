using System.Buffers.Text;

namespace Tidegate.Host.Warming;

/// <summary>Just enough of HTTP to tell when one of the warm-up's own messages has arrived.</summary>
internal static class HttpMessages
{
    public static bool IsWhole(ReadOnlySpan<byte> received)
    {
        var head = received.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return false;
        }

        var fields = received[..head];
        if (fields.IndexOf("Content-Length: "u8) is >= 0 and var at)
        {
            return Utf8Parser.TryParse(fields[(at + 16)..], out int length, out _) && received.Length >= head + 4 + length;
        }

        return fields.IndexOf("Transfer-Encoding: chunked"u8) < 0 || received.EndsWith("\r\n0\r\n\r\n"u8);
    }
}
