namespace Tidegate.Transport;

/// <summary>
/// The system calls whose outcome the network decides, so that tests can decide it instead. A struct as a type argument: the production implementation is compiled
/// into its callers. Results as in <see cref="Libc"/>.
/// </summary>
internal unsafe interface ISocketCalls
{
    int Socket(int family);

    int Accept(int descriptor, byte* address, int* length);

    int Connect(int descriptor, byte* address, int length);

    int Receive(int descriptor, byte* buffer, int length, int flags);

    int Send(int descriptor, byte* buffer, int length);

    int Send(int descriptor, IoVector* parts, int count);

    /// <summary>Adds the descriptor to the epoll instance.</summary>
    int Watch(int epoll, int descriptor, uint events, ulong data);

    int Wait(int epoll, byte* events, int capacity, int timeoutMilliseconds);
}

/// <summary>The system calls as they are.</summary>
internal readonly unsafe struct LibcCalls : ISocketCalls
{
    private const int Add = 1;

    public int Socket(int family) => Libc.Socket(family);

    public int Accept(int descriptor, byte* address, int* length) => Libc.Accept(descriptor, address, length);

    public int Connect(int descriptor, byte* address, int length) => Libc.Connect(descriptor, address, length);

    public int Receive(int descriptor, byte* buffer, int length, int flags) => Libc.Receive(descriptor, buffer, length, flags);

    public int Send(int descriptor, byte* buffer, int length) => Libc.Send(descriptor, buffer, length);

    public int Send(int descriptor, IoVector* parts, int count) => Libc.Send(descriptor, parts, count);

    public int Watch(int epoll, int descriptor, uint events, ulong data) => Libc.EpollControl(epoll, Add, descriptor, events, data);

    public int Wait(int epoll, byte* events, int capacity, int timeoutMilliseconds) => Libc.EpollWait(epoll, events, capacity, timeoutMilliseconds);
}
