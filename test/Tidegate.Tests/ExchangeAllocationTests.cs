using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tidegate.Configuration;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Recording;
using Tidegate.Recording.Tracing;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests;

/// <summary>
/// The allocation gate of the whole plain path: a client's keep-alive connection, the edge, routing, our upstream client, a kept upstream connection, the answer back,
/// all on one reactor. What its thread allocates is counted; client and upstream are sockets on threads of their own, so that other tests change nothing.
/// </summary>
[Collection(Allocations.Name)]
public sealed class ExchangeAllocationTests
{
    private const int BatchSize = 300;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static readonly Dictionary<string, (string Request, string Answer)> Exchanges = new()
    {
        ["a short answer"] = (Request("GET", ""), Answer(200)),
        ["an answer in one chunk"] = (Request("GET", ""), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n" + new string('x', 200) + "\r\n0\r\n\r\n"),
        ["an answer of 64 KiB"] = (Request("GET", ""), Answer(64 * 1024)),
        ["no content"] = (Request("GET", ""), "HTTP/1.1 204 No Content\r\nDate: Wed, 25 Nov 2026 10:00:00 GMT\r\n\r\n"),
        ["content of 1,000 bytes"] = (Request("POST", new string('y', 1000)), Answer(200)),
        ["content of 64 KiB"] = (Request("POST", new string('y', 64 * 1024)), Answer(200)),
    };

    public static TheoryData<string, int> Allowed => new()
    {
        { "a short answer", 0 },
        { "an answer in one chunk", 0 },
        { "an answer of 64 KiB", 0 },
        { "no content", 0 },
        { "content of 1,000 bytes", 0 },
        { "content of 64 KiB", 0 },
    };

    [Theory]
    [MemberData(nameof(Allowed))]
    public async Task A_plain_exchange_allocates_no_more_on_its_reactor_than_allowed(string name, int allowed)
    {
#if DEBUG
        Assert.Skip("Unoptimised code allocates more.");
#endif
        var (request, answer) = Exchanges[name];
        using var upstream = new SocketUpstream(answer);
        await using var gateway = await ReactorGateway.StartAsync(upstream.Port, Cancellation);
        var bytes = await Task.Factory.StartNew(
            () => Measure(gateway, Encoding.Latin1.GetBytes(request), allowed), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        Assert.True(bytes <= allowed, $"{name}: {bytes} B per exchange, allowed are {allowed} B.");
    }

    [Theory]
    [InlineData("credential: { header: X-Key, keys: [{ value: key-1, weight: 2 }, { value: key-2 }] }, retry: {}, circuit_breaker: {}, fallback: { body: '{}' }", 0)]

    // The run, its timer and its task; everything else is used again.
    [InlineData("hedge: { after: 10s }", 1_000)]
    public async Task Alternatives_that_are_not_needed_allocate_no_more_than_allowed(string keys, int allowed)
    {
#if DEBUG
        Assert.Skip("Unoptimised code allocates more.");
#endif
        var (request, answer) = Exchanges["a short answer"];
        using var upstream = new SocketUpstream(answer);
        await using var gateway = await ReactorGateway.StartAsync(upstream.Port, Cancellation, keys);
        var bytes = await Task.Factory.StartNew(
            () => Measure(gateway, Encoding.Latin1.GetBytes(request), allowed), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        Assert.True(bytes <= allowed, $"{keys}: {bytes} B per exchange, allowed are {allowed} B.");
    }

    private static string Request(string method, string content) => $"{method} /orders/17?page=2 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: test\r\nAccept: */*\r\n"
        + (content.Length > 0 ? $"Content-Type: text/plain\r\nContent-Length: {content.Length}\r\n\r\n{content}" : "\r\n");

    private static string Answer(int length) => $"HTTP/1.1 200 OK\r\nServer: test\r\nDate: Wed, 25 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{new string('x', length)}";

    /// <summary>The fewest bytes per exchange of any batch: the first run unoptimised code, and pools fill in them.</summary>
    private static long Measure(ReactorGateway gateway, byte[] request, long allowed)
    {
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.Connect(gateway.EndPoint);
        var buffer = new byte[256 * 1024];
        var answerBytes = Exchange(client, request, buffer, -1);
        var began = Stopwatch.GetTimestamp();
        var fewest = long.MaxValue;
        while (true)
        {
            var before = gateway.AllocatedBytes();
            for (var i = 0; i < BatchSize; i++)
            {
                Exchange(client, request, buffer, answerBytes);
            }

            fewest = Math.Min(fewest, (gateway.AllocatedBytes() - before + BatchSize - 1) / BatchSize);
            if (fewest <= allowed || Stopwatch.GetElapsedTime(began) > TimeSpan.FromSeconds(60))
            {
                return fewest;
            }
        }
    }

    /// <summary>One exchange; the first finds out how long its answer is, the others are as long.</summary>
    private static int Exchange(Socket client, byte[] request, byte[] buffer, int answerBytes)
    {
        client.Send(request);
        for (var received = 0; ;)
        {
            received += client.Receive(buffer.AsSpan(received)) is > 0 and var count ? count : throw new EndOfStreamException(Encoding.Latin1.GetString(buffer, 0, received));
            if (answerBytes < 0 ? client.Available == 0 && IsWhole(Encoding.Latin1.GetString(buffer, 0, received)) : received >= answerBytes)
            {
                return received == answerBytes || answerBytes < 0 ? received : throw new InvalidDataException("The answers differ in length.");
            }
        }
    }

    private static bool IsWhole(string answer)
    {
        var head = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (head < 0)
        {
            return false;
        }

        Assert.StartsWith("HTTP/1.1 20", answer, StringComparison.Ordinal);
        var length = answer.IndexOf("Content-Length: ", StringComparison.Ordinal);
        return answer.StartsWith("HTTP/1.1 204", StringComparison.Ordinal)
            || (length < 0 ? answer.EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal) : answer.Length == head + 4 + int.Parse(answer.AsSpan(length + 16, answer.IndexOf('\r', length) - length - 16)));
    }

    /// <summary>The production path on one reactor, without records.</summary>
    private sealed class ReactorGateway : IAsyncDisposable
    {
        private readonly ReactorTransport _transport;
        private readonly Forwarder _forwarder;
        private readonly EdgeServer _edge;

        private ReactorGateway(CompiledConfiguration compiled, Forwarder forwarder, ReactorTransport transport)
        {
            var time = TimeProvider.System;
            _transport = transport;
            _forwarder = forwarder;
            var handler = new GatewayHandler(
                new SnapshotHolder(compiled.Snapshot), new ExchangesInFlight(), ExchangeTracing.Off, new ResponseRelay(new GatewayResponder(time), time), new NoRecorder(), time, (_, bug) => throw bug);
            _edge = new EdgeServer(compiled.Listeners, handler.HandleAsync, new NoRecorder(), new ExchangeId(1), forwarder.Deadlines, transport);
        }

        public IPEndPoint EndPoint => _edge.Endpoints[0].EndPoint;

        public static async Task<ReactorGateway> StartAsync(int upstreamPort, CancellationToken cancellationToken, string more = "path: /")
        {
            var forwarder = new Forwarder(TimeProvider.System);
            var transport = ReactorTransport.Create(1, TimeProvider.System, _ => { });
            forwarder.ConnectOn(transport);
            var loaded = ConfigurationLoader.LoadText(
                $$"""
                listeners: { ingress: { address: 127.0.0.1:0 } }
                apis:
                  - { name: orders, direction: ingress, hosts: [api.example.com], upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] }, {{more}} }
                """,
                "test.yaml");
            var (compiled, problems) = SnapshotCompiler.Compile(loaded, new CompilerServices(forwarder, TimeProvider.System));
            var gateway = new ReactorGateway(compiled ?? throw new ArgumentException(string.Join('\n', problems)), forwarder, transport);
            await gateway._edge.StartAsync(cancellationToken);
            return gateway;
        }

        /// <summary>What the reactor's thread has allocated so far.</summary>
        public long AllocatedBytes()
        {
            var asked = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            _transport.Reactors[0].Post(static asked => ((TaskCompletionSource<long>)asked!).SetResult(GC.GetAllocatedBytesForCurrentThread()), asked);
            return asked.Task.GetAwaiter().GetResult();
        }

        public async ValueTask DisposeAsync()
        {
            await _edge.DisposeAsync();
            await _forwarder.DisposeAsync();
            await _transport.DisposeAsync();
        }
    }

    private sealed class NoRecorder : IExchangeRecorder
    {
        public void Record(Exchange exchange)
        {
            // The record has a gate of its own.
        }
    }

    /// <summary>Answers every request with the same bytes.</summary>
    private sealed class SocketUpstream : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly byte[] _answer;

        public SocketUpstream(string answer)
        {
            _answer = Encoding.Latin1.GetBytes(answer);
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _listener.Listen();
            new Thread(Accept) { IsBackground = true }.Start();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

        public void Dispose() => _listener.Dispose();

        private void Accept()
        {
            try
            {
                while (true)
                {
                    var connection = _listener.Accept();
                    new Thread(() => Serve(connection)) { IsBackground = true }.Start();
                }
            }
            catch (SocketException)
            {
                // Disposed.
                return;
            }
        }

        private void Serve(Socket connection)
        {
            using var _ = connection;
            connection.NoDelay = true;
            var buffer = new byte[256 * 1024];
            try
            {
                var received = 0;
                while (connection.Receive(buffer.AsSpan(received)) is > 0 and var count)
                {
                    received += count;
                    var head = buffer.AsSpan(0, received).IndexOf("\r\n\r\n"u8);
                    if (head >= 0 && received >= head + 4 + ContentLength(buffer.AsSpan(0, head)))
                    {
                        received = 0;
                        connection.Send(_answer);
                    }
                }
            }
            catch (SocketException)
            {
                // The gateway ended.
                return;
            }
        }

        private static int ContentLength(ReadOnlySpan<byte> head)
        {
            var field = head.IndexOf("Content-Length: "u8);
            if (field < 0)
            {
                return 0;
            }

            var digits = head[(field + 16)..];
            var end = digits.IndexOf((byte)'\r');
            return int.Parse(end < 0 ? digits : digits[..end]);
        }
    }
}
