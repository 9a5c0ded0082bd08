using System.Runtime.InteropServices;

namespace Tidegate.Transport;

/// <summary>The system calls that the transport makes: a result that is not negative, or minus an <see cref="Errno"/>. Numbers are those of Linux on x64 and arm64.</summary>
internal static unsafe partial class Libc
{
    public const int AddressFamilyIPv4 = 2;
    public const int AddressFamilyIPv6 = 10;

    public const int MessagePeek = 0x2;

    private const int StreamNonBlockingCloseOnExec = 1 | 0x800 | 0x80000;
    private const int AcceptNonBlockingCloseOnExec = 0x800 | 0x80000;
    private const int EpollCloseOnExec = 0x80000;
    private const int EventNonBlockingCloseOnExec = 0x800 | 0x80000;

    // A peer that is gone is an error value, never a SIGPIPE.
    private const int MessageNoSignal = 0x4000;
    private const int SocketLevel = 1;
    private const int TcpLevel = 6;
    private const int IPv6Level = 41;
    private const int OptionReuseAddress = 2;
    private const int OptionError = 4;
    private const int OptionLinger = 13;
    private const int OptionReusePort = 15;
    private const int OptionNoDelay = 1;
    private const int OptionCongestion = 13;
    private const int OptionNotSentLowWater = 25;
    private const int OptionIPv6Only = 26;
    private const int ShutdownWrite = 1;

    // The three calls that every exchange makes twice go past the library's own functions, each of which is a point at which a thread could be cancelled, and past the
    // runtime's hand-over: on a socket that does not block they take microseconds, which is no time for a collection to wait.
    private static readonly nint SendCall = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 206 : 44;
    private static readonly nint ReceiveCall = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 207 : 45;
    private static readonly nint SendMessageCall = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 211 : 46;

    public static int Socket(int family) => Result(socket(family, StreamNonBlockingCloseOnExec, 0));

    public static int Bind(int descriptor, byte* address, int length) => Result(bind(descriptor, address, (uint)length));

    public static int Listen(int descriptor, int backlog) => Result(listen(descriptor, backlog));

    public static int Accept(int descriptor, byte* address, int* length) => Result(accept4(descriptor, address, length, AcceptNonBlockingCloseOnExec));

    public static int Connect(int descriptor, byte* address, int length) => Result(connect(descriptor, address, (uint)length));

    public static int LocalName(int descriptor, byte* address, int* length) => Result(getsockname(descriptor, address, length));

    public static int Receive(int descriptor, byte* buffer, int length, int flags) => DirectResult(Direct(ReceiveCall, descriptor, buffer, length, flags, 0, 0));

    public static int Send(int descriptor, byte* buffer, int length) => DirectResult(Direct(SendCall, descriptor, buffer, length, MessageNoSignal, 0, 0));

    public static int Send(int descriptor, IoVector* parts, int count)
    {
        var message = new MessageHeader { Parts = parts, PartCount = (nuint)count };
        return DirectResult(Direct(SendMessageCall, descriptor, &message, MessageNoSignal, 0, 0, 0));
    }

    public static int ShutDownSending(int descriptor) => Result(shutdown(descriptor, ShutdownWrite));

    public static int Close(int descriptor) => Result(close(descriptor));

    /// <summary>The next <see cref="Close"/> resets the connection and throws away what was not sent.</summary>
    public static void ResetOnClose(int descriptor)
    {
        var linger = stackalloc int[2] { 1, 0 };
        _ = setsockopt(descriptor, SocketLevel, OptionLinger, linger, 2 * sizeof(int));
    }

    public static int ReuseAddress(int descriptor) => SetOption(descriptor, SocketLevel, OptionReuseAddress, 1);

    public static int ReusePort(int descriptor) => SetOption(descriptor, SocketLevel, OptionReusePort, 1);

    public static int NoDelay(int descriptor) => SetOption(descriptor, TcpLevel, OptionNoDelay, 1);

    /// <summary>For a peer on the same host: nothing between the two is ever congested, so that nothing has to be measured or paced (tcp(7), TCP_CONGESTION). Where it is not allowed, the system's choice stands.</summary>
    public static int PlainCongestionControl(int descriptor)
    {
        // Part of every kernel, and allowed to everybody unless somebody took it off the list.
        var name = "reno"u8;
        fixed (byte* start = name)
        {
            return Result(setsockopt(descriptor, TcpLevel, OptionCongestion, start, (uint)name.Length));
        }
    }

    /// <summary>The kernel takes no more than this beyond what the peer lets it send, and says that there is room again at half of it (tcp(7), TCP_NOTSENT_LOWAT).</summary>
    public static int MaxNotSent(int descriptor, int bytes) => SetOption(descriptor, TcpLevel, OptionNotSentLowWater, bytes);

    public static int IPv6Only(int descriptor, bool only) => SetOption(descriptor, IPv6Level, OptionIPv6Only, only ? 1 : 0);

    /// <summary>The error that the socket has pending, taken from it: 0 for none.</summary>
    public static int TakeError(int descriptor)
    {
        int error;
        var length = sizeof(int);
        return getsockopt(descriptor, SocketLevel, OptionError, &error, &length) < 0 ? Marshal.GetLastPInvokeError() : error;
    }

    public static int EpollCreate() => Result(epoll_create1(EpollCloseOnExec));

    /// <param name="epoll">The instance.</param>
    /// <param name="operation">1 add, 2 remove, 3 change.</param>
    /// <param name="descriptor">What is watched.</param>
    /// <param name="events">Which readiness.</param>
    /// <param name="data">Comes back with every event.</param>
    public static int EpollControl(int epoll, int operation, int descriptor, uint events, ulong data)
    {
        var buffer = stackalloc byte[EpollEvents.MaxSize];
        EpollEvents.Write(buffer, events, data);
        return Result(epoll_ctl(epoll, operation, descriptor, buffer));
    }

    public static int EpollWait(int epoll, byte* events, int capacity, int timeoutMilliseconds) => Result(epoll_wait(epoll, events, capacity, timeoutMilliseconds));

    public static int EventCreate() => Result(eventfd(0, EventNonBlockingCloseOnExec));

    public static void EventSignal(int descriptor)
    {
        ulong one = 1;
        _ = write(descriptor, (byte*)&one, sizeof(ulong));
    }

    private static int SetOption(int descriptor, int level, int option, int value) => Result(setsockopt(descriptor, level, option, &value, sizeof(int)));

    private static int Result(nint result) => result >= 0 ? (int)result : -Marshal.GetLastPInvokeError();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int descriptor, byte* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int listen(int descriptor, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept4(int descriptor, byte* address, int* length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int descriptor, byte* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockname(int descriptor, byte* address, int* length);

    // Nothing of the runtime runs between such a call and the look at its error.
    private static int DirectResult(nint result) => result >= 0 ? (int)result : -Marshal.GetLastSystemError();

    [LibraryImport("libc", EntryPoint = "syscall"), SuppressGCTransition]
    private static partial nint Direct(nint number, nint descriptor, void* first, nint second, nint third, nint fourth, nint fifth);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(int descriptor, int how);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(int descriptor, int level, int option, void* value, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(int descriptor, int level, int option, void* value, int* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epoll, int operation, int descriptor, byte* epollEvent);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(int epoll, byte* events, int capacity, int timeoutMilliseconds);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, byte* buffer, nuint length);

    /// <summary>struct msghdr on 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct MessageHeader
    {
        public void* Name;
        public nuint NameLength;
        public IoVector* Parts;
        public nuint PartCount;
        public void* Control;
        public nuint ControlLength;
        public nint Flags;
    }
}

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    public byte* Start;
    public nuint Length;
}
