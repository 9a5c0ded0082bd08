using System.Net.Sockets;

namespace Tidegate.Transport;

/// <summary>Error numbers of Linux, the same on x64 and arm64, as far as the transport tells them apart.</summary>
internal static class Errno
{
    public const int NotPermitted = 1;
    public const int Interrupted = 4;
    public const int TryAgain = 11;
    public const int OutOfMemory = 12;
    public const int AccessDenied = 13;
    public const int SystemTableFull = 23;
    public const int TooManyDescriptors = 24;
    public const int BrokenPipe = 32;
    public const int NoDevice = 64;
    public const int Protocol = 71;
    public const int NoProtocolOption = 92;
    public const int OperationNotSupported = 95;
    public const int AddressInUse = 98;
    public const int AddressNotAvailable = 99;
    public const int NetworkDown = 100;
    public const int NetworkUnreachable = 101;
    public const int ConnectionAborted = 103;
    public const int ConnectionReset = 104;
    public const int NoBuffers = 105;
    public const int NotConnected = 107;
    public const int TimedOut = 110;
    public const int ConnectionRefused = 111;
    public const int HostDown = 112;
    public const int HostUnreachable = 113;
    public const int InProgress = 115;

    /// <summary>The exception that the runtime's own sockets give for this error, with the same message.</summary>
    public static SocketException ToException(int error) => new((int)ToSocketError(error));

    private static SocketError ToSocketError(int error) => error switch
    {
        NotPermitted or AccessDenied => SocketError.AccessDenied,
        Interrupted => SocketError.Interrupted,
        TryAgain => SocketError.WouldBlock,
        OutOfMemory or NoBuffers => SocketError.NoBufferSpaceAvailable,
        SystemTableFull or TooManyDescriptors => SocketError.TooManyOpenSockets,
        BrokenPipe => SocketError.Shutdown,
        NoProtocolOption => SocketError.ProtocolOption,
        OperationNotSupported => SocketError.OperationNotSupported,
        AddressInUse => SocketError.AddressAlreadyInUse,
        AddressNotAvailable => SocketError.AddressNotAvailable,
        NetworkDown => SocketError.NetworkDown,
        NetworkUnreachable => SocketError.NetworkUnreachable,
        ConnectionAborted => SocketError.ConnectionAborted,
        ConnectionReset => SocketError.ConnectionReset,
        NotConnected => SocketError.NotConnected,
        TimedOut => SocketError.TimedOut,
        ConnectionRefused => SocketError.ConnectionRefused,
        HostDown => SocketError.HostDown,
        HostUnreachable => SocketError.HostUnreachable,
        _ => SocketError.SocketError,
    };
}
