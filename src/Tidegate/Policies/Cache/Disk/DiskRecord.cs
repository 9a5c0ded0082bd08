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

    private const uint Magic = 0x31414754;

    /// <summary>Frame and head; the content is written behind them.</summary>
    public static byte[] Encode(StoredAnswer answer, DateTimeOffset received)
    {
        var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(new byte[FrameBytes]);
        writer.Write((ulong)answer.Key);
        writer.Write((ulong)(answer.Key >> 64));
        writer.Write(answer.Url);
        writer.Write(answer.Api);
        writer.Write(answer.Partition);
        writer.Write(answer.Epoch);
        writer.Write(received.UtcTicks);
        writer.Write(answer.Status);
        var terms = answer.Terms;
        writer.Write(terms.InitialAge.Ticks);
        writer.Write(terms.Lifetime.Ticks);
        writer.Write(terms.StaleWhileRevalidate.Ticks);
        writer.Write(terms.StaleIfError.Ticks);
        writer.Write(terms.Flags);
        writer.Write(answer.Tags?.Length ?? 0);
        foreach (var tag in answer.Tags ?? [])
        {
            writer.Write(tag);
        }

        writer.Write(answer.Vary?.Length ?? -1);
        writer.Write(answer.Vary ?? []);
        writer.Write(answer.Head.Length);
        writer.Write(answer.Head);
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
    public static StoredAnswer? Decode(byte[] bytes, StoredContent content, TimeProvider time, out uint[] checksums)
    {
        checksums = [];
        if (!TryReadFrame(bytes, out var headBytes, out var contentBytes) || headBytes != bytes.Length - FrameBytes)
        {
            return null;
        }

        var checksum = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(16));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), 0);
        if (Checksum(bytes) != checksum)
        {
            return null;
        }

        using var reader = new BinaryReader(new MemoryStream(bytes, FrameBytes, headBytes));
        var low = reader.ReadUInt64();
        var key = new UInt128(reader.ReadUInt64(), low);
        var (url, api, partition, epoch) = (reader.ReadUInt64(), reader.ReadUInt64(), reader.ReadUInt64(), reader.ReadInt64());
        var age = time.GetUtcNow() - new DateTimeOffset(reader.ReadInt64(), TimeSpan.Zero);
        var status = reader.ReadInt32();
        var terms = AnswerTerms.Restore(Time(), Time(), Time(), Time(), reader.ReadByte());
        var tags = new ulong[reader.ReadInt32()];
        for (var i = 0; i < tags.Length; i++)
        {
            tags[i] = reader.ReadUInt64();
        }

        var varyLength = reader.ReadInt32();
        var vary = varyLength < 0 ? null : reader.ReadBytes(varyLength);
        var head = reader.ReadBytes(reader.ReadInt32());
        checksums = MemoryMarshal.Cast<byte, uint>(reader.ReadBytes(headBytes)).ToArray();
        if (age < TimeSpan.Zero || checksums.Length != (contentBytes + StoredContent.PieceBytes - 1) / StoredContent.PieceBytes)
        {
            // From the future: the clock was set back, and nobody knows how old it is.
            return null;
        }

        return new StoredAnswer
        {
            Key = key,
            Url = url,
            Api = api,
            Partition = partition,
            Tags = tags.Length == 0 ? null : tags,
            Status = status,
            Head = head,
            Content = content,
            Vary = vary,
            Terms = terms,
            Received = time.GetTimestamp() - (long)(age.TotalSeconds * time.TimestampFrequency),
            Epoch = epoch,
            CheckedEpoch = -1,
        };

        TimeSpan Time() => new(reader.ReadInt64());
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
}
