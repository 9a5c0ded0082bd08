using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Tidegate.Policies.Cache.Disk;

/// <summary>
/// An answer as bytes: a frame (magic, length of head and content, checksum of frame and head), the head (what <see cref="StoredAnswer"/> says, and a checksum for each
/// piece of the content), the content. Whatever is torn or damaged is seen before it is used.
/// </summary>
internal static class DiskRecord
{
    public const int FrameBytes = 24;

    /// <summary>A head has fields (64 KB), tags and what it varies by.</summary>
    public const int MaxHeadBytes = 1 << 20;

    // Key, epoch, four times and when it came, status and flags.
    private const int FixedBytes = (8 * sizeof(long)) + 3;

    private const uint Magic = 0x32414754;

    /// <summary>Frame and head; the content is written behind them.</summary>
    public static byte[] Encode(StoredAnswer answer, DateTimeOffset received)
    {
        var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(new byte[FrameBytes]);
        writer.Write((ulong)answer.Key);
        writer.Write((ulong)(answer.Key >> 64));
        writer.Write(answer.Epoch);
        writer.Write(received.UtcTicks);
        writer.Write(answer.InitialAge.Ticks);
        writer.Write(answer.Lifetime.Ticks);
        writer.Write(answer.StaleWhileRevalidate.Ticks);
        writer.Write(answer.StaleIfError.Ticks);
        writer.Write((ushort)answer.Status);
        writer.Write(answer.Flags);
        WritePart(writer, MemoryMarshal.AsBytes(answer.Tags));
        WritePart(writer, answer.Vary);
        WritePart(writer, answer.Head);
        foreach (var piece in answer.Content.Pieces)
        {
            writer.Write(Checksum(piece.Span));
        }

        writer.Flush();
        var bytes = stream.ToArray();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), bytes.Length - FrameBytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), answer.Content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), Checksum(bytes));
        return bytes;
    }

    /// <summary>Reads a frame; false when it is none.</summary>
    public static bool TryReadFrame(ReadOnlySpan<byte> frame, out int headBytes, out long contentBytes)
    {
        headBytes = BinaryPrimitives.ReadInt32LittleEndian(frame[4..]);
        contentBytes = BinaryPrimitives.ReadInt64LittleEndian(frame[8..]);
        return BinaryPrimitives.ReadUInt32LittleEndian(frame) == Magic && headBytes is > 0 and <= MaxHeadBytes && contentBytes >= 0;
    }

    /// <summary>Reads frame and head; null when they are damaged.</summary>
    /// <param name="bytes">Both.</param>
    /// <param name="content">Where the content will be.</param>
    /// <param name="time">The clock that the answer ages by from now on.</param>
    /// <param name="checksums">One for each piece of the content.</param>
    /// <param name="isFromFuture">The clock was set back, and nobody knows how old it is.</param>
    public static StoredAnswer? Decode(Span<byte> bytes, StoredContent content, TimeProvider time, out uint[] checksums, out bool isFromFuture)
    {
        checksums = [];
        isFromFuture = false;
        if (!TryReadFrame(bytes, out var headBytes, out var contentBytes) || headBytes != bytes.Length - FrameBytes || headBytes < FixedBytes)
        {
            return null;
        }

        var checksum = BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], 0);
        if (Checksum(bytes) != checksum)
        {
            return null;
        }

        // A checksum can agree by chance: lengths are looked at all the same.
        ReadOnlySpan<byte> rest = bytes[FrameBytes..];
        var low = (ulong)Number(ref rest);
        var key = new UInt128((ulong)Number(ref rest), low);
        var epoch = Number(ref rest);
        var received = Number(ref rest);
        var (initialAge, lifetime, staleWhileRevalidate, staleIfError) = (Number(ref rest), Number(ref rest), Number(ref rest), Number(ref rest));
        var status = BinaryPrimitives.ReadUInt16LittleEndian(rest);
        var flags = rest[2];
        rest = rest[3..];
        if (!TryPart(ref rest, out var tags) || !TryPart(ref rest, out var vary) || !TryPart(ref rest, out var head) || tags.Length % sizeof(ulong) != 0
            || received < 0 || received > DateTime.MaxValue.Ticks || rest.Length != sizeof(uint) * ((contentBytes + StoredContent.PieceBytes - 1) / StoredContent.PieceBytes))
        {
            return null;
        }

        checksums = MemoryMarshal.Cast<byte, uint>(rest).ToArray();
        var age = time.GetUtcNow() - new DateTimeOffset(received, TimeSpan.Zero);
        isFromFuture = age < TimeSpan.Zero;
        var packed = content.PackedBytes;
        var block = AnswerBlock.Make(MemoryMarshal.Cast<byte, ulong>(tags), vary, head, packed);
        return new StoredAnswer
        {
            Key = key,
            Block = block,
            Status = status,
            Content = packed > 0 ? content.CopyTo(block.Bytes) : content,
            Terms = AnswerTerms.Restore(new TimeSpan(initialAge), new TimeSpan(lifetime), new TimeSpan(staleWhileRevalidate), new TimeSpan(staleIfError), flags),
            Received = time.GetTimestamp() - (long)(age.TotalSeconds * time.TimestampFrequency),
            Epoch = epoch,
            CheckedEpoch = -1,
        };
    }

    /// <summary>CRC-32C, which processors compute.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (var rest in bytes[(bytes.Length & ~7)..])
        {
            crc = BitOperations.Crc32C(crc, rest);
        }

        return ~crc;
    }

    private static void WritePart(BinaryWriter writer, ReadOnlySpan<byte> part)
    {
        writer.Write(part.Length);
        writer.Write(part);
    }

    private static long Number(ref ReadOnlySpan<byte> rest)
    {
        var number = BinaryPrimitives.ReadInt64LittleEndian(rest);
        rest = rest[sizeof(long)..];
        return number;
    }

    private static bool TryPart(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> part)
    {
        part = default;
        if (!BinaryPrimitives.TryReadInt32LittleEndian(rest, out var length) || length < 0 || length > rest.Length - sizeof(int))
        {
            return false;
        }

        part = rest.Slice(sizeof(int), length);
        rest = rest[(sizeof(int) + length)..];
        return true;
    }
}
