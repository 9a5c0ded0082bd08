using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tidegate.Load.Traffic;

/// <summary>
/// Linux's readiness notification, bare, with one thread: generator and upstream must cost little, so that the proxy is what is measured,
/// and must wake up to the microsecond, so that open-loop arrivals are where they are meant to be.
/// </summary>
/// <remarks>Needs Linux 5.11 and glibc 2.35 for <c>epoll_pwait2</c>, whose timeout has nanoseconds.</remarks>
internal sealed unsafe partial class Epoll : IDisposable
{
    public const uint Readable = 1;
    public const uint Writable = 4;

    private const int Add = 1;
    private const int Delete = 2;
    private const int Modify = 3;
    private const int MaxEvents = 256;
    private const int SetTimerSlack = 29;
    private const int NoSignal = 0x4000;
    private const int Interrupted = 4;

    // The kernel packs epoll_event on x86-64 only.
    private static readonly int Stride = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int DataOffset = Stride - 8;

    private readonly int _descriptor = Checked(Create(0));
    private readonly byte[] _events = GC.AllocateUninitializedArray<byte>(MaxEvents * 16, pinned: true);

    // 50 us of slack is the default; arrivals shall not be late by that much.
    public Epoll() => Checked(Control(SetTimerSlack, 1, 0, 0, 0));

    public void Watch(Socket socket, long data, uint events = Readable) => Checked(Change(Add, socket, data, events));

    public void Rewatch(Socket socket, long data, uint events) => Checked(Change(Modify, socket, data, events));

    public void Forget(Socket socket) => Checked(Change(Delete, socket, 0, 0));

    /// <summary>Waits; a negative time waits for ever. The number of events, for <see cref="Event"/>.</summary>
    public int Wait(long nanoseconds)
    {
        var timeout = new Timespec(nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        fixed (byte* events = _events)
        {
            var count = PreciseWait(_descriptor, events, MaxEvents, nanoseconds < 0 ? null : &timeout, 0);
            return count >= 0 ? count : Marshal.GetLastPInvokeError() == Interrupted ? 0 : throw new Win32Exception();
        }
    }

    public (long Data, uint Events) Event(int index)
    {
        var bytes = _events.AsSpan(index * Stride);
        return (MemoryMarshal.Read<long>(bytes[DataOffset..]), MemoryMarshal.Read<uint>(bytes));
    }

    /// <summary>Bytes received; 0 at the end, -1 when there is nothing now or the connection is broken.</summary>
    public static int Receive(Socket socket, Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            return (int)Receive((int)socket.Handle, bytes, buffer.Length, 0);
        }
    }

    /// <summary>Bytes taken by the kernel, which may be fewer; -1 when none can be taken now or the connection is broken.</summary>
    public static int Send(Socket socket, ReadOnlySpan<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            return (int)Send((int)socket.Handle, bytes, buffer.Length, NoSignal);
        }
    }

    public void Dispose() => Checked(Close(_descriptor));

    private int Change(int operation, Socket socket, long data, uint events)
    {
        var change = stackalloc byte[16];
        *(uint*)change = events;
        *(long*)(change + DataOffset) = data;
        return ControlEpoll(_descriptor, operation, (int)socket.Handle, change);
    }

    private static int Checked(int result) => result >= 0 ? result : throw new Win32Exception();

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int Create(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int ControlEpoll(int epoll, int operation, int descriptor, byte* change);

    [LibraryImport("libc", EntryPoint = "epoll_pwait2", SetLastError = true)]
    private static partial int PreciseWait(int epoll, byte* events, int maxEvents, Timespec* timeout, nint signals);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Control(int option, nuint value, nuint second, nuint third, nuint fourth);

    [LibraryImport("libc", EntryPoint = "recv")]
    private static partial nint Receive(int descriptor, byte* buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "send")]
    private static partial nint Send(int descriptor, byte* buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);

    private readonly record struct Timespec(long Seconds, long Nanoseconds);
}
