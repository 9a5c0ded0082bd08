namespace Tidegate.Fuzz.Inputs;

/// <summary>Makes new inputs from good ones, with the bytes, lines, numbers and words that parsers stumble over.</summary>
internal static class Mutator
{
    private const int MaxBytes = 64 * 1024;
    private const int Kinds = 12;

    private static readonly byte[] Telling = [.. "\r\n\0 \t:;,=-+0129afAFxX/\\.%?#*[]{}()\"'<>@$&|!~_"u8, 0x0B, 0x0C, 0x1F, 0x7F, 0x80, 0xA0, 0xC3, 0xFE, 0xFF];

    /// <summary>A seed after a few changes, now and then after none.</summary>
    public static byte[] Make(IReadOnlyList<byte[]> seeds, IReadOnlyList<byte[]> tokens, Random random)
    {
        var bytes = new List<byte>(seeds[random.Next(seeds.Count)]);
        for (var changes = random.Next(8); changes > 0; changes--)
        {
            Change(bytes, seeds, tokens, random);
            if (bytes.Count > MaxBytes)
            {
                bytes.RemoveRange(MaxBytes, bytes.Count - MaxBytes);
            }
        }

        return [.. bytes];
    }

    private static void Change(List<byte> bytes, IReadOnlyList<byte[]> seeds, IReadOnlyList<byte[]> tokens, Random random)
    {
        var at = random.Next(bytes.Count + 1);
        var length = Math.Min(random.Next(random.Next(2) == 0 ? 5 : 60), bytes.Count - at);
        switch (random.Next(Kinds))
        {
            case 0 when at < bytes.Count:
                bytes[at] = Byte(random);
                break;
            case 1:
                bytes.Insert(at, Byte(random));
                break;
            case 2:
                bytes.RemoveRange(at, length);
                break;
            case 3:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 4:
                bytes.InsertRange(at, tokens[random.Next(tokens.Count)]);
                break;
            case 5:
                bytes.RemoveRange(at, length);
                bytes.InsertRange(at, tokens[random.Next(tokens.Count)]);
                break;
            case 6:
                Splice(bytes, at, seeds[random.Next(seeds.Count)], random);
                break;
            case 7 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 8:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 9:
                MoveLine(bytes, keep: random.Next(2) == 0, random);
                break;
            case 10:
                ChangeNumber(bytes, at, random);
                break;
            default:
                bytes.InsertRange(at, Enumerable.Repeat(Byte(random), random.Next(20) == 0 ? random.Next(20_000) : random.Next(300)));
                break;
        }
    }

    private static byte Byte(Random random) => random.Next(4) == 0 ? (byte)random.Next(256) : Telling[random.Next(Telling.Length)];

    private static void Splice(List<byte> bytes, int at, byte[] other, Random random)
    {
        bytes.RemoveRange(at, bytes.Count - at);
        bytes.AddRange(other.AsSpan(random.Next(other.Length + 1)));
    }

    /// <summary>Takes one line to another place, or repeats it there.</summary>
    private static void MoveLine(List<byte> bytes, bool keep, Random random)
    {
        var starts = new List<int> { 0 };
        for (var i = 0; i < bytes.Count; i++)
        {
            if (bytes[i] == '\n')
            {
                starts.Add(i + 1);
            }
        }

        var from = random.Next(starts.Count);
        var start = starts[from];
        var line = bytes.GetRange(start, (from + 1 < starts.Count ? starts[from + 1] : bytes.Count) - start);
        if (!keep)
        {
            bytes.RemoveRange(start, line.Count);
        }

        bytes.InsertRange(Math.Min(starts[random.Next(starts.Count)], bytes.Count), line);
    }

    private static void ChangeNumber(List<byte> bytes, int at, Random random)
    {
        while (at < bytes.Count && !char.IsAsciiHexDigit((char)bytes[at]))
        {
            at++;
        }

        var end = at;
        while (end < bytes.Count && char.IsAsciiHexDigit((char)bytes[end]))
        {
            end++;
        }

        bytes.RemoveRange(at, end - at);
        ReadOnlySpan<string> numbers = ["0", "00", "1", "-1", "-0", "+1", "0x1", "7fffffff", "80000000", "ffffffff", "7fffffffffffffff", "ffffffffffffffff", "fffffffffffffff", "18446744073709551616", "999999999999999999", "9999999999999999999", "1.0", "1e3", "a"];
        bytes.InsertRange(at, numbers[random.Next(numbers.Length)].Select(letter => (byte)letter));
    }
}
