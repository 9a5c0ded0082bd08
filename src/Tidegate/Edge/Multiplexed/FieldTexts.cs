using System.Text;

namespace Tidegate.Edge.Multiplexed;

/// <summary>
/// Values of fields as text, for one thread: Kestrel takes strings, and services answer with few different values very often. Direct-mapped, so it is bounded; what collides is made anew.
/// </summary>
internal sealed class FieldTexts
{
    // 256 texts of at most 128 bytes: 64 KB.
    private const int Entries = 256;
    private const int MaxBytes = 64;

    [ThreadStatic]
    private static FieldTexts? _ofThread;

    private readonly string?[] _texts = new string?[Entries];

    /// <summary>This thread's.</summary>
    public static FieldTexts OfThread => _ofThread ??= new FieldTexts();

    /// <summary>The text of Latin-1 bytes.</summary>
    public string Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is 0 or > MaxBytes)
        {
            return Encoding.Latin1.GetString(bytes);
        }

        // Its length and some of its letters: values that differ differ there.
        ref var text = ref _texts[((bytes.Length * 31) + bytes[0] + (bytes[bytes.Length / 2] * 7) + (bytes[^1] * 131)) & (Entries - 1)];
        return text is { } known && Is(known, bytes) ? known : text = Encoding.Latin1.GetString(bytes);
    }

    private static bool Is(string text, ReadOnlySpan<byte> bytes)
    {
        if (text.Length != bytes.Length)
        {
            return false;
        }

        for (var i = 0; i < bytes.Length; i++)
        {
            if (text[i] != bytes[i])
            {
                return false;
            }
        }

        return true;
    }
}
