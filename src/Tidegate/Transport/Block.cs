using System.Buffers;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tidegate.Transport;

/// <summary>A piece of pinned memory on its way through a connection: filled from the front, linked to the next.</summary>
internal sealed unsafe class Block : ReadOnlySequenceSegment<byte>
{
    /// <summary>What the head of most messages fits into.</summary>
    public const int SmallBytes = 4 * 1024;

    /// <summary>A 16 KiB body or TLS record with all around it in one system call; more brings little, because the copy in the kernel outweighs the call.</summary>
    public const int LargeBytes = 32 * 1024;

    private readonly byte[] _bytes;
    private readonly byte* _start;

    public Block(int size)
    {
        _bytes = GC.AllocateUninitializedArray<byte>(size, pinned: true);
        _start = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_bytes));
    }

    public int Size => _bytes.Length;

    /// <summary>Bytes filled.</summary>
    public int Length { get; private set; }

    /// <summary>Bytes free at the end.</summary>
    public int Room => _bytes.Length - Length;

    public byte* Start => _start;

    public byte* End => _start + Length;

    public Memory<byte> Free => _bytes.AsMemory(Length);

    public Block? NextBlock => (Block?)Next;

    /// <summary>Counts bytes that were written behind <see cref="End"/>.</summary>
    public void Fill(int count)
    {
        Debug.Assert((uint)count <= (uint)Room, "more than there was room for");
        Length += count;
        Memory = new ReadOnlyMemory<byte>(_bytes, 0, Length);
    }

    /// <summary>Makes this the first of a sequence.</summary>
    /// <param name="runningIndex">Where in the stream of bytes it begins.</param>
    public void Begin(long runningIndex) => RunningIndex = runningIndex;

    public void Append(Block next)
    {
        next.RunningIndex = RunningIndex + Length;
        Next = next;
    }

    /// <summary>Takes it out of the chain that it begins.</summary>
    public void Detach() => Next = null;

    /// <summary>As new, for the next who rents it.</summary>
    public void Reset()
    {
        Length = 0;
        Memory = default;
        Next = null;
        RunningIndex = 0;
    }
}
