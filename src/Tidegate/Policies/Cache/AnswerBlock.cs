using System.Runtime.InteropServices;

namespace Tidegate.Policies.Cache;

/// <summary>
/// What an answer says, in one array: its tags, the request fields that it was chosen by, its own fields (<see cref="StoredHead"/>), and at the end, where it is small,
/// its content.
/// </summary>
internal readonly struct AnswerBlock
{
    private readonly byte[] _bytes;
    private readonly ushort _tagCount;
    private readonly int _varyBytes;
    private readonly int _headBytes;

    private AnswerBlock(byte[] bytes, int tagCount, int varyBytes, int headBytes) =>
        (_bytes, _tagCount, _varyBytes, _headBytes) = (bytes, (ushort)tagCount, varyBytes, headBytes);

    public byte[] Bytes => _bytes;

    public int TagCount => _tagCount;

    public int VaryBytes => _varyBytes;

    public int HeadBytes => _headBytes;

    /// <summary>Makes one.</summary>
    /// <param name="tags">Names that it can be purged by.</param>
    /// <param name="vary">See <see cref="VaryKey"/>; empty when it is for every request.</param>
    /// <param name="head">Its fields.</param>
    /// <param name="contentBytes">Room for content.</param>
    public static AnswerBlock Make(ReadOnlySpan<ulong> tags, ReadOnlySpan<byte> vary, ReadOnlySpan<byte> head, int contentBytes)
    {
        var names = MemoryMarshal.AsBytes(tags);
        var bytes = GC.AllocateUninitializedArray<byte>(names.Length + vary.Length + head.Length + contentBytes);
        names.CopyTo(bytes);
        vary.CopyTo(bytes.AsSpan(names.Length));
        head.CopyTo(bytes.AsSpan(names.Length + vary.Length));
        return new AnswerBlock(bytes, tags.Length, vary.Length, head.Length);
    }
}
