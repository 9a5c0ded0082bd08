using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Testing;

/// <summary>
/// An upstream that answers with exactly the bytes that the test says, malformed ones too. It understands only as much of HTTP/1.1 as
/// it takes to know where a request ends.
/// </summary>
public sealed class RawUpstream : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<RawUpstreamRequest, Task> _answer;
    private readonly Task _accepting;

    /// <summary>Listens at once.</summary>
    /// <param name="answer">Called for every request head. The connection ends when it leaves <see cref="RawUpstreamRequest.Close"/> set.</param>
    public RawUpstream(Func<RawUpstreamRequest, Task> answer)
    {
        _answer = answer;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Answers every request with the same bytes, once its content was read.</summary>
    public RawUpstream(string answer, bool close = false)
        : this(async request =>
        {
            await request.ReadContentAsync();
            await request.SendAsync(answer);
            request.Close = close;
        })
    {
    }

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Every request so far, in the order of their heads.</summary>
    public ConcurrentQueue<RawUpstreamRequest> Requests { get; } = new();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                connections.Add(ServeAsync(await _listener.AcceptSocketAsync(_stopping.Token)));
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            socket.NoDelay = true;
            var connection = new RawUpstreamConnection(socket, _stopping.Token);
            try
            {
                while (await connection.ReadHeadAsync() is { } head)
                {
                    var request = new RawUpstreamRequest(head, connection);
                    Requests.Enqueue(request);
                    await _answer(request);
                    if (request.Close)
                    {
                        return;
                    }
                }
            }
            catch (Exception over) when (over is IOException or SocketException or OperationCanceledException)
            {
                return;
            }
        }
    }
}

/// <summary>One request that a <see cref="RawUpstream"/> got.</summary>
public sealed class RawUpstreamRequest
{
    private readonly RawUpstreamConnection _connection;
    private readonly TaskCompletionSource<bool> _content = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal RawUpstreamRequest(string head, RawUpstreamConnection connection)
    {
        Head = head;
        _connection = connection;
    }

    /// <summary>Request line and fields, with the empty line.</summary>
    public string Head { get; }

    /// <summary>The request line.</summary>
    public string Line => Head[..Head.IndexOf("\r\n", StringComparison.Ordinal)];

    /// <summary>The content so far, framing removed.</summary>
    public string Content { get; private set; } = "";

    /// <summary>Trailer lines behind chunked content.</summary>
    public string Trailers { get; private set; } = "";

    /// <summary>True once the content has ended as its framing says; false once the connection ended before.</summary>
    public Task<bool> ContentIsWhole => _content.Task;

    /// <summary>Whether the connection ends after this answer.</summary>
    public bool Close { get; set; }

    /// <summary>The first field of that name, or null.</summary>
    public string? Field(string name) => new RawAnswer(0, Head, "").Field(name);

    /// <summary>Reads the content to its end; false when it was cut short.</summary>
    public async Task<bool> ReadContentAsync()
    {
        try
        {
            if (Field("Transfer-Encoding") is null)
            {
                var length = int.Parse(Field("Content-Length") ?? "0");
                while (Content.Length < length)
                {
                    Content += await _connection.ReadSomeAsync(length - Content.Length);
                }
            }
            else
            {
                await ReadChunksAsync();
            }

            _content.TrySetResult(true);
            return true;
        }
        catch (Exception cut) when (cut is IOException or SocketException)
        {
            _content.TrySetResult(false);
            Close = true;
            return false;
        }
    }

    /// <summary>Sends Latin-1 text as its bytes.</summary>
    public Task SendAsync(string text) => _connection.SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends bytes.</summary>
    public Task SendAsync(ReadOnlyMemory<byte> bytes) => _connection.SendAsync(bytes);

    /// <summary>Waits until the other side ends or resets the connection.</summary>
    public Task WaitForEndAsync() => _connection.WaitForEndAsync();

    /// <summary>At least one byte, at most so many; after an upgrade for example.</summary>
    public Task<string> ReadSomeAsync(int most = 4096) => _connection.ReadSomeAsync(most);

    /// <summary>Breaks the connection.</summary>
    public void Reset()
    {
        Close = true;
        _connection.Reset();
    }

    private async Task ReadChunksAsync()
    {
        while (true)
        {
            var size = Convert.ToInt32((await _connection.ReadLineAsync()).Split(';')[0], 16);
            if (size == 0)
            {
                while (await _connection.ReadLineAsync() is { Length: > 0 } line)
                {
                    Trailers += line + "\r\n";
                }

                return;
            }

            for (var left = size; left > 0;)
            {
                var some = await _connection.ReadSomeAsync(left);
                Content += some;
                left -= some.Length;
            }

            await _connection.ReadLineAsync();
        }
    }
}

internal sealed class RawUpstreamConnection(Socket socket, CancellationToken stopping)
{
    private readonly byte[] _buffer = new byte[16 * 1024];
    private string _received = "";

    /// <summary>Null when the connection ends between two requests.</summary>
    public async Task<string?> ReadHeadAsync()
    {
        int end;
        while ((end = _received.IndexOf("\r\n\r\n", StringComparison.Ordinal)) < 0)
        {
            if (!await ReceiveAsync())
            {
                return null;
            }
        }

        return Cut(end + 4);
    }

    public async Task<string> ReadLineAsync()
    {
        int end;
        while ((end = _received.IndexOf("\r\n", StringComparison.Ordinal)) < 0)
        {
            await NeedAsync();
        }

        return Cut(end + 2)[..^2];
    }

    public async Task<string> ReadSomeAsync(int most)
    {
        while (_received.Length == 0)
        {
            await NeedAsync();
        }

        return Cut(Math.Min(most, _received.Length));
    }

    public async Task WaitForEndAsync()
    {
        try
        {
            while (await ReceiveAsync())
            {
            }
        }
        catch (SocketException)
        {
            // A reset is an end too.
            return;
        }
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, stopping)..];
        }
    }

    public void Reset() => socket.Close(0);

    private string Cut(int count)
    {
        var text = _received[..count];
        _received = _received[count..];
        return text;
    }

    private async Task NeedAsync()
    {
        if (!await ReceiveAsync())
        {
            throw new EndOfStreamException();
        }
    }

    private async Task<bool> ReceiveAsync()
    {
        var read = await socket.ReceiveAsync(_buffer.AsMemory(), stopping);
        _received += Encoding.Latin1.GetString(_buffer, 0, read);
        return read > 0;
    }
}
