using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>
/// Load of the strictest kind: callers with one HTTP/1.1 connection each that send the next request as soon as the last one is answered, open a new connection
/// only when they were told that theirs closes, and never send a request twice.
/// </summary>
internal sealed class KeepAliveCallers : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _enough;
    private readonly Task _callers;
    private readonly List<string> _failures = [];
    private int _answered;
    private int _refused;

    public KeepAliveCallers(IPEndPoint gateway, int count, string path, CancellationToken cancellation)
    {
        _enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _callers = Task.WhenAll(Enumerable.Range(0, count).Select(_ => CallAsync(gateway, Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: load.test\r\n\r\n"))));
    }

    /// <summary>Whole answers with status 200.</summary>
    public int Answered => Volatile.Read(ref _answered);

    /// <summary>Callers that ended because nobody listened any more.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>Every request that was sent and got no whole answer with status 200, and what became of it.</summary>
    public IReadOnlyList<string> Failures
    {
        get
        {
            lock (_failures)
            {
                return [.. _failures];
            }
        }
    }

    /// <summary>Waits for so many more answers.</summary>
    public async Task AnsweredAsync(int more)
    {
        var expected = Answered + more;
        for (var waited = TimeSpan.Zero; Answered < expected && !_callers.IsCompleted; waited += TimeSpan.FromMilliseconds(10))
        {
            if (waited > Patience)
            {
                throw new TimeoutException($"{expected - Answered} answers are missing.");
            }

            await Task.Delay(10, _enough.Token);
        }
    }

    /// <summary>Lets every request be answered, and sends no more.</summary>
    public async Task StopAsync()
    {
        await _enough.CancelAsync();
        await EndedAsync();
    }

    /// <summary>Waits until nobody is listening any more for each caller.</summary>
    public Task EndedAsync() => _callers.WaitAsync(Patience, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _enough.Dispose();
    }

    private async Task CallAsync(IPEndPoint gateway, byte[] request)
    {
        var buffer = new byte[8 * 1024];
        while (!_enough.IsCancellationRequested)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(gateway);
            }
            catch (SocketException refused) when (refused.SocketErrorCode is SocketError.ConnectionRefused or SocketError.ConnectionReset)
            {
                // Not a request that failed: none was sent.
                Interlocked.Increment(ref _refused);
                return;
            }

            string? failure = null;
            var stays = true;
            while (stays && failure is null && !_enough.IsCancellationRequested)
            {
                (failure, stays) = await CallAsync(socket, request, buffer);
            }

            if (failure is not null)
            {
                lock (_failures)
                {
                    _failures.Add(failure);
                }
            }
        }
    }

    private async Task<(string? Failure, bool Stays)> CallAsync(Socket socket, byte[] request, byte[] buffer)
    {
        var received = "";
        try
        {
            await socket.SendAsync(request);
            while (true)
            {
                var count = await socket.ReceiveAsync(buffer).WaitAsync(Patience);
                if (count == 0)
                {
                    return ($"The connection ended after '{received}'.", false);
                }

                received += Encoding.ASCII.GetString(buffer, 0, count);
                if (IsWhole(received))
                {
                    break;
                }
            }
        }
        catch (Exception broken) when (broken is SocketException or TimeoutException)
        {
            return ($"{broken.Message} after '{received}'.", false);
        }

        if (!received.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal))
        {
            return (received, false);
        }

        Interlocked.Increment(ref _answered);
        return (null, !received.Contains("connection: close", StringComparison.OrdinalIgnoreCase));
    }

    private static bool IsWhole(string received)
    {
        var end = received.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
        {
            return false;
        }

        const string Length = "content-length: ";
        var at = received.IndexOf(Length, StringComparison.OrdinalIgnoreCase);
        return at >= 0 && at < end
            ? received.Length - end - 4 >= int.Parse(received.AsSpan(at + Length.Length, received.IndexOf('\r', at) - at - Length.Length), null)
            : received.EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal);
    }
}
