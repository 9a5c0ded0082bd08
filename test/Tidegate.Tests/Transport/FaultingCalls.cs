using System.Collections.Concurrent;
using Tidegate.Transport;

namespace Tidegate.Tests.Transport;

/// <summary>What goes wrong, how often. Rates are per call, from 0 to 1; set before or while the transport runs.</summary>
internal sealed class FaultPlan(int seed)
{
    private readonly Random _random = new(seed);
    private readonly ConcurrentDictionary<int, (int Epoll, uint Events, ulong Data)> _watches = new();
    private int _injected;

    public double ShortReads { get; init; }

    public double ShortWrites { get; init; }

    public double TryAgain { get; init; }

    public double Interrupted { get; init; }

    /// <summary>Taken by the next calls of a kind, one each: an error number, or 0 for a call that goes through.</summary>
    public ConcurrentQueue<int> AcceptErrors { get; } = new();

    public ConcurrentQueue<int> ReceiveErrors { get; } = new();

    public ConcurrentQueue<int> SendErrors { get; } = new();

    public ConcurrentQueue<int> ConnectErrors { get; } = new();

    public ConcurrentQueue<int> SocketErrors { get; } = new();

    public ConcurrentQueue<int> WatchErrors { get; } = new();

    /// <summary>Faults so far.</summary>
    public int Injected => Volatile.Read(ref _injected);

    public bool Happens(double rate)
    {
        if (rate == 0)
        {
            return false;
        }

        lock (_random)
        {
            if (_random.NextDouble() >= rate)
            {
                return false;
            }
        }

        Interlocked.Increment(ref _injected);
        return true;
    }

    public bool Fails(ConcurrentQueue<int> errors, out int error)
    {
        if (!errors.TryDequeue(out error) || error == 0)
        {
            return false;
        }

        Interlocked.Increment(ref _injected);
        return true;
    }

    /// <summary>Some length from 1 on, mostly small.</summary>
    public int Shorten(int length)
    {
        lock (_random)
        {
            return _random.Next(1, Math.Max(2, Math.Min(length, _random.Next(4) == 0 ? length : 100)));
        }
    }

    public void Watched(int epoll, int descriptor, uint events, ulong data) => _watches[descriptor] = (epoll, events, data);

    /// <summary>The kernel owes no new edge for what it has in truth: make it look again, as if the rest came only now.</summary>
    public void Rearm(int descriptor)
    {
        if (_watches.TryGetValue(descriptor, out var watch))
        {
            _ = Libc.EpollControl(watch.Epoll, 3, descriptor, watch.Events, watch.Data);
        }
    }
}

/// <summary>The system calls, with the plan's faults.</summary>
internal readonly unsafe struct FaultingCalls(FaultPlan plan) : ISocketCalls
{
    public int Socket(int family) => plan.Fails(plan.SocketErrors, out var error) ? -error : Libc.Socket(family);

    public int Accept(int descriptor, byte* address, int* length) =>
        plan.Fails(plan.AcceptErrors, out var error) ? -error : plan.Happens(plan.Interrupted) ? -Errno.Interrupted : Libc.Accept(descriptor, address, length);

    public int Connect(int descriptor, byte* address, int length) => plan.Fails(plan.ConnectErrors, out var error) ? -error : Libc.Connect(descriptor, address, length);

    public int Receive(int descriptor, byte* buffer, int length, int flags)
    {
        if (plan.Fails(plan.ReceiveErrors, out var error))
        {
            return -error;
        }

        if (plan.Happens(plan.Interrupted))
        {
            return -Errno.Interrupted;
        }

        if (plan.Happens(plan.TryAgain))
        {
            plan.Rearm(descriptor);
            return -Errno.TryAgain;
        }

        if (length == 1 || !plan.Happens(plan.ShortReads))
        {
            return Libc.Receive(descriptor, buffer, length, flags);
        }

        var received = Libc.Receive(descriptor, buffer, plan.Shorten(length), flags);
        plan.Rearm(descriptor);
        return received;
    }

    public int Send(int descriptor, byte* buffer, int length)
    {
        var part = new IoVector { Start = buffer, Length = (nuint)length };
        return Send(descriptor, &part, 1);
    }

    public int Send(int descriptor, IoVector* parts, int count)
    {
        if (plan.Fails(plan.SendErrors, out var error))
        {
            return -error;
        }

        if (plan.Happens(plan.Interrupted))
        {
            return -Errno.Interrupted;
        }

        if (plan.Happens(plan.TryAgain))
        {
            plan.Rearm(descriptor);
            return -Errno.TryAgain;
        }

        if (!plan.Happens(plan.ShortWrites))
        {
            return Libc.Send(descriptor, parts, count);
        }

        var sent = Libc.Send(descriptor, parts->Start, plan.Shorten((int)parts->Length));
        plan.Rearm(descriptor);
        return sent;
    }

    public int Watch(int epoll, int descriptor, uint events, ulong data)
    {
        if (plan.Fails(plan.WatchErrors, out var error))
        {
            return -error;
        }

        plan.Watched(epoll, descriptor, events, data);
        return Libc.EpollControl(epoll, 1, descriptor, events, data);
    }

    public int Wait(int epoll, byte* events, int capacity, int timeoutMilliseconds) =>
        plan.Happens(plan.Interrupted) ? -Errno.Interrupted : Libc.EpollWait(epoll, events, capacity, timeoutMilliseconds);
}
