namespace Tidegate.Exchanges;

/// <summary>
/// Numbers exchanges. A counter instead of a GUID, because a GUID costs a system call; it starts at a random point for each
/// process so that ids of two gateways, or of two lives of one, do not collide in a log.
/// </summary>
public sealed class ExchangeId
{
    /// <summary>How many characters an id has where it is shown.</summary>
    public const int Length = 16;

    private ulong _last;

    /// <summary>Starts at a number chosen by the caller: random in production, fixed in tests.</summary>
    public ExchangeId(ulong start) => _last = start;

    /// <summary>The next number.</summary>
    public ulong Next() => Interlocked.Increment(ref _last);

    /// <summary>As shown in problem replies, logs and the admin API: 16 lower-case hex digits.</summary>
    public static string Format(ulong id) => id.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The same as bytes.</summary>
    /// <param name="id">The number.</param>
    /// <param name="digits">At least <see cref="Length"/> bytes.</param>
    public static void Format(ulong id, Span<byte> digits)
    {
        for (var i = Length - 1; i >= 0; i--, id >>= 4)
        {
            digits[i] = "0123456789abcdef"u8[(int)(id & 15)];
        }
    }
}
