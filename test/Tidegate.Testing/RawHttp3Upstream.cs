using System.Net;
using System.Net.Quic;
using System.Net.Security;
using System.Runtime.Versioning;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Tidegate.Testing;

/// <summary>Just enough of an HTTP/3 server to answer as no library would. Each request is the test's, with its number from 0. Not for use where QUIC is not supported.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("macos")]
[SupportedOSPlatform("windows")]
public sealed class RawHttp3Upstream : IAsyncDisposable
{
    private readonly QuicListener _listener;
    private readonly Func<RawHttp3Request, Task> _answer;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];
    private int _connections;
    private int _requests;

    private RawHttp3Upstream(QuicListener listener, Func<RawHttp3Request, Task> answer)
    {
        _listener = listener;
        _answer = answer;
        Run(AcceptAsync());
    }

    /// <summary>Where it listens.</summary>
    public int Port => _listener.LocalEndPoint.Port;

    /// <summary>Connections so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Requests so far.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Starts on a free port of 127.0.0.1.</summary>
    /// <param name="certificate">What it shows.</param>
    /// <param name="answer">Called for each request.</param>
    /// <param name="protocol">What it agrees to in the handshake; null for HTTP/3.</param>
    public static async Task<RawHttp3Upstream> StartAsync(X509Certificate2 certificate, Func<RawHttp3Request, Task> answer, string? protocol = null)
    {
        var agreed = protocol is null ? SslApplicationProtocol.Http3 : new SslApplicationProtocol(protocol);
        return new RawHttp3Upstream(await QuicListener.ListenAsync(new QuicListenerOptions
        {
            ListenEndPoint = new IPEndPoint(IPAddress.Loopback, 0),
            ApplicationProtocols = [agreed],
            ConnectionOptionsCallback = (_, _, _) => ValueTask.FromResult(new QuicServerConnectionOptions
            {
                DefaultCloseErrorCode = 0x100,
                DefaultStreamErrorCode = 0x10C,
                MaxInboundUnidirectionalStreams = 5,
                MaxInboundBidirectionalStreams = 100,
                ServerAuthenticationOptions = new SslServerAuthenticationOptions { ApplicationProtocols = [agreed], ServerCertificate = certificate },
            }),
        }), answer);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _listener.DisposeAsync();
        Task[] running;
        lock (_running)
        {
            running = [.. _running];
        }

        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private void Run(Task task)
    {
        lock (_running)
        {
            _running.Add(task);
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Run(ServeAsync(await _listener.AcceptConnectionAsync(_stop.Token)));
        }
    }

    private async Task AnswerAsync(RawHttp3Request request, QuicStream stream)
    {
        await using var closed = stream;
        await _answer(request);
    }

    private async Task ServeAsync(QuicConnection connection)
    {
        await using var closed = connection;
        Interlocked.Increment(ref _connections);

        // Stream type 0, then an empty SETTINGS frame.
        await using var control = await connection.OpenOutboundStreamAsync(QuicStreamType.Unidirectional, _stop.Token);
        await control.WriteAsync(new byte[] { 0, 4, 0 }, _stop.Token);
        var kept = new List<QuicStream>();
        try
        {
            while (true)
            {
                var stream = await connection.AcceptInboundStreamAsync(_stop.Token);
                if (stream.Type == QuicStreamType.Bidirectional)
                {
                    Run(AnswerAsync(new RawHttp3Request(connection, control, stream, Interlocked.Increment(ref _requests) - 1, _stop.Token), stream));
                }
                else
                {
                    // A critical stream must stay open.
                    kept.Add(stream);
                }
            }
        }
        catch (QuicException)
        {
            // The connection is over; its streams are too.
            return;
        }
        finally
        {
            foreach (var stream in kept)
            {
                await stream.DisposeAsync();
            }
        }
    }
}

/// <summary>One request to a <see cref="RawHttp3Upstream"/>, and the means to answer it.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("macos")]
[SupportedOSPlatform("windows")]
public sealed class RawHttp3Request(QuicConnection connection, QuicStream control, QuicStream stream, int number, CancellationToken cancellationToken)
{
    /// <summary>From 0.</summary>
    public int Number => number;

    /// <summary>Reads the request to its end.</summary>
    /// <returns>How many bytes its frames had in all.</returns>
    public async Task<int> ReadAsync()
    {
        var all = new MemoryStream();
        await stream.CopyToAsync(all, cancellationToken);
        return (int)all.Length;
    }

    /// <summary>Reads the first bytes of the request.</summary>
    public async Task ReadSomeAsync() => await stream.ReadAtLeastAsync(new byte[16 * 1024], 1, throwOnEndOfStream: false, cancellationToken);

    /// <summary>Sends a head.</summary>
    public Task SendHeadAsync(int status, params (string Name, string Value)[] fields) => SendFieldsAsync([(":status", $"{status}"), .. fields], ends: false);

    /// <summary>Sends trailers or any other section of fields.</summary>
    public async Task SendFieldsAsync(IReadOnlyList<(string Name, string Value)> fields, bool ends)
    {
        var block = new MemoryStream();
        block.Write([0, 0]);
        foreach (var (name, value) in fields)
        {
            RawHttp3.WriteField(block, name, value);
        }

        await SendFrameAsync(1, block.ToArray(), ends);
    }

    /// <summary>Sends content.</summary>
    public Task SendContentAsync(string content, bool ends) => SendFrameAsync(0, Encoding.Latin1.GetBytes(content), ends);

    /// <summary>Answers 200.</summary>
    public async Task AnswerAsync(string content = "good", params (string Name, string Value)[] fields)
    {
        await SendHeadAsync(200, fields);
        await SendContentAsync(content, ends: true);
    }

    /// <summary>Sends any frame.</summary>
    public async Task SendFrameAsync(byte type, byte[] payload, bool ends)
    {
        var frame = new MemoryStream();
        RawHttp3.WriteFrame(frame, type, payload);
        await stream.WriteAsync(frame.ToArray(), ends, cancellationToken);
    }

    /// <summary>Begins a frame of 100 bytes, sends three of them and ends the stream.</summary>
    public async Task SendTruncatedAsync(byte type) => await stream.WriteAsync(new byte[] { type, 0x40, 100, 1, 2, 3 }, completeWrites: true, cancellationToken);

    /// <summary>Resets the stream.</summary>
    public void Reset(long code)
    {
        stream.Abort(QuicAbortDirection.Both, code);
    }

    /// <summary>Closes the connection.</summary>
    public async Task CloseAsync(long code) => await connection.CloseAsync(code, cancellationToken);

    /// <summary>Says that streams from this number on are not worked on.</summary>
    public async Task GoAwayAsync(byte firstStream) => await control.WriteAsync(new byte[] { 7, 1, firstStream }, cancellationToken);

    /// <summary>Waits for the end of the test.</summary>
    public Task WaitAsync() => Task.Delay(Timeout.Infinite, cancellationToken);
}
