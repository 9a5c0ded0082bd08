using System.Buffers.Binary;
using System.Numerics;

namespace Tidegate.Policies;

/// <summary>
/// SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): a keyed pseudo-random function for short input. Whoever does not know the key can neither
/// predict a hash nor make two inputs collide, as with HMAC-SHA-256, at a thirtieth of its cost.
/// </summary>
internal static class SipHash
{
    /// <summary>Hashes a message of any length under a 128-bit key.</summary>
    public static UInt128 Compute(UInt128 key, ReadOnlySpan<byte> message)
    {
        var (k0, k1) = ((ulong)key, (ulong)(key >> 64));
        var v0 = k0 ^ 0x736F6D6570736575;
        var v1 = k1 ^ 0x646F72616E646F6D ^ 0xEE;
        var v2 = k0 ^ 0x6C7967656E657261;
        var v3 = k1 ^ 0x7465646279746573;
        var last = (ulong)message.Length << 56;
        while (message.Length >= 8)
        {
            Absorb(BinaryPrimitives.ReadUInt64LittleEndian(message), ref v0, ref v1, ref v2, ref v3);
            message = message[8..];
        }

        for (var i = 0; i < message.Length; i++)
        {
            last |= (ulong)message[i] << (8 * i);
        }

        Absorb(last, ref v0, ref v1, ref v2, ref v3);
        v2 ^= 0xEE;
        Finish(ref v0, ref v1, ref v2, ref v3);
        var low = v0 ^ v1 ^ v2 ^ v3;
        v1 ^= 0xDD;
        Finish(ref v0, ref v1, ref v2, ref v3);
        return new UInt128(v0 ^ v1 ^ v2 ^ v3, low);
    }

    private static void Absorb(ulong word, ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v3 ^= word;
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= word;
    }

    private static void Finish(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        for (var i = 0; i < 4; i++)
        {
            Round(ref v0, ref v1, ref v2, ref v3);
        }
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v2 += v3;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}
