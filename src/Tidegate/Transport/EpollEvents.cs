using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tidegate.Transport;

/// <summary>struct epoll_event in memory: packed on x64, aligned elsewhere.</summary>
internal static unsafe class EpollEvents
{
    public const uint Readable = 0x1;
    public const uint Urgent = 0x2;
    public const uint Writable = 0x4;
    public const uint Error = 0x8;
    public const uint HangUp = 0x10;
    public const uint PeerFinished = 0x2000;
    public const uint EdgeTriggered = 1u << 31;

    public const int MaxSize = 16;

    public static readonly int Size = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : MaxSize;

    private static readonly int DataOffset = Size - sizeof(ulong);

    public static uint Flags(byte* events, int index) => Unsafe.ReadUnaligned<uint>(events + (index * Size));

    public static ulong Data(byte* events, int index) => Unsafe.ReadUnaligned<ulong>(events + (index * Size) + DataOffset);

    public static void Write(byte* into, uint flags, ulong data)
    {
        Unsafe.WriteUnaligned(into, flags);
        Unsafe.WriteUnaligned(into + DataOffset, data);
    }
}
