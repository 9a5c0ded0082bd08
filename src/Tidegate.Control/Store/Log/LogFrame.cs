using System.Buffers.Binary;
using System.Numerics;

namespace Tidegate.Control.Store.Log;

/// <summary>
/// One write of the log: a mark, the length and a CRC-32C of what follows, then records. Whoever reads goes from frame to frame. One that is not whole is where the process died, or the
/// disk was full; unless another follows: then it was broken later.
/// </summary>
internal static class LogFrame
{
    public const int HeadBytes = 12;

    /// <summary>What one frame may hold: a block of records with the longest of everything is less.</summary>
    public const int MaxBytes = 64 * 1024 * 1024;

    /// <summary>Of what is written. Whoever adds a field to records raises it, and reads the field only from frames that have it: an update must not cost the hour before it.</summary>
    public const int Version = 4;

    // "TGX1": the last digit is the format's version.
    private const uint FirstMark = 0x31584754;
    private const int VersionShift = 24;

    /// <summary>Fills the head that was reserved at the beginning.</summary>
    public static void Seal(ByteSink bytes)
    {
        var content = bytes.Written[HeadBytes..];
        var head = bytes.At(0, HeadBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(head, FirstMark + ((Version - 1u) << VersionShift));
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], Checksum(content, Version));
    }

    /// <summary>The content's length, by a head; -1 when it is none.</summary>
    public static int ContentLength(ReadOnlySpan<byte> head)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(head[4..]);
        return VersionOf(head) > 0 && length is > 0 and <= MaxBytes ? length : -1;
    }

    /// <summary>The version that a frame was written by; 0 for what is none.</summary>
    public static int VersionOf(ReadOnlySpan<byte> head) =>
        BinaryPrimitives.ReadUInt32LittleEndian(head) - FirstMark is var later && (later & ((1u << VersionShift) - 1)) == 0 ? (int)(later >> VersionShift) + 1 : 0;

    /// <summary>Where what all versions' marks begin with comes next, from a place on; -1 where it does not.</summary>
    public static int NextMark(ReadOnlySpan<byte> bytes, int from) => bytes[from..].IndexOf("TGX"u8) is >= 0 and var found ? from + found : -1;

    public static bool IsWhole(ReadOnlySpan<byte> head, ReadOnlySpan<byte> content) => BinaryPrimitives.ReadUInt32LittleEndian(head[8..]) == Checksum(content, VersionOf(head));

    /// <summary>CRC-32C (Castagnoli), which processors compute themselves. It begins with the version, so that no flipped bit makes another of it.</summary>
    private static uint Checksum(ReadOnlySpan<byte> bytes, int version)
    {
        var crc = uint.MaxValue - (uint)(version - 1);
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (var one in bytes)
        {
            crc = BitOperations.Crc32C(crc, one);
        }

        return ~crc;
    }
}
