using System.Text;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>
/// For a field that the handler must not understand: every value becomes one and the same word that means nothing. An <c>Alt-Svc</c> would send the handler's next
/// connections to wherever the upstream says, past the destinations that were written and past every check of addresses.
/// </summary>
internal sealed class UnreadEncoding : Encoding
{
    public static readonly UnreadEncoding Instance = new();

    // No token, so no alternative service (RFC 7838 3).
    private const char Word = '(';

    public override int GetByteCount(char[] chars, int index, int count) => count;

    public override int GetBytes(char[] chars, int charIndex, int charCount, byte[] bytes, int byteIndex) => Latin1.GetBytes(chars, charIndex, charCount, bytes, byteIndex);

    public override int GetCharCount(byte[] bytes, int index, int count) => 1;

    public override int GetChars(byte[] bytes, int byteIndex, int byteCount, char[] chars, int charIndex)
    {
        chars[charIndex] = Word;
        return 1;
    }

    public override int GetMaxByteCount(int charCount) => charCount;

    public override int GetMaxCharCount(int byteCount) => 1;
}
