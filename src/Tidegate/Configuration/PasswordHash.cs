using System.Globalization;

namespace Tidegate.Configuration;

/// <summary>An Argon2id hash as people write it: <c>$argon2id$v=19$m=KIBIBYTES,t=PASSES,p=1$SALT$HASH</c>, salt and hash in Base64 without padding (the PHC string format).</summary>
internal sealed record PasswordHash(int MemoryKibibytes, int Passes, byte[] Salt, byte[] Hash)
{
    public const string Prefix = "$argon2id$";

    // What one attempt to sign in may cost: an attacker chooses how often.
    private const int MaxMemoryKibibytes = 256 * 1024;
    private const int MaxPasses = 20;

    // RFC 9106, 3.1 and 4: less than 8 KiB does not work; 16 bytes of salt are enough for everybody, 8 the least; 16 bytes of hash are the least that cannot be found by chance.
    private const int MinMemoryKibibytes = 8;
    private const int SaltBytes = 16;
    private const int MinHashBytes = 16;
    private const int MaxHashBytes = 64;

    /// <summary>Reads one; else says what is wrong with it.</summary>
    public static string? Parse(string text, out PasswordHash? hash)
    {
        hash = null;
        const string Form = "write what tidegate password prints: $argon2id$v=19$m=…,t=…,p=1$SALT$HASH";
        if (text.Split('$') is not ["", "argon2id", "v=19", var costs, var salt, var value])
        {
            return Form;
        }

        if (costs.Split(',') is not [['m', '=', .. var memory], ['t', '=', .. var passes], "p=1"]
            || !int.TryParse(memory, NumberStyles.None, CultureInfo.InvariantCulture, out var memoryKibibytes)
            || !int.TryParse(passes, NumberStyles.None, CultureInfo.InvariantCulture, out var passCount))
        {
            return "of an Argon2id hash m, t and p=1 are read: " + Form;
        }

        if (memoryKibibytes is < MinMemoryKibibytes or > MaxMemoryKibibytes || passCount is < 1 or > MaxPasses)
        {
            return string.Create(CultureInfo.InvariantCulture, $"m is {MinMemoryKibibytes} to {MaxMemoryKibibytes} (KiB) and t 1 to {MaxPasses}");
        }

        if (Bytes(salt) is not { Length: SaltBytes } saltBytes || Bytes(value) is not { Length: >= MinHashBytes and <= MaxHashBytes } hashBytes)
        {
            return string.Create(CultureInfo.InvariantCulture, $"the salt has {SaltBytes} bytes and the hash {MinHashBytes} to {MaxHashBytes}, in Base64 without padding");
        }

        hash = new PasswordHash(memoryKibibytes, passCount, saltBytes, hashBytes);
        return null;
    }

    /// <summary>As people write it.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Prefix}v=19$m={MemoryKibibytes},t={Passes},p=1${Text(Salt)}${Text(Hash)}");

    private static string Text(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    private static byte[]? Bytes(string text)
    {
        var bytes = new byte[MaxHashBytes + 3];
        return !text.Contains('=', StringComparison.Ordinal) && Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var written) ? bytes[..written] : null;
    }
}
