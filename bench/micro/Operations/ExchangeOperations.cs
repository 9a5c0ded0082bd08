using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Tidegate.Edge;
using Tidegate.Edge.Http1;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Recording.Tracing;
using Tidegate.Transport;

namespace Tidegate.Benchmarks.Operations;

/// <summary>A whole exchange over HTTP/1.1 without sockets: head, routing, key, answer of 200 bytes, record. Where the upstream would be, the answer is ready.</summary>
internal static class ExchangeOperations
{
    private static readonly PipeOptions Inline = new(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false);

    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("exchange: HTTP/1.1, keyed and recorded, upstream aside", Serve),
    ];

    private static Action Serve()
    {
        var body = new ReadyBody(200);
        var snapshot = RoutingOperations.Snapshot(10, [PolicyOperations.Authentication()], exchange =>
        {
            exchange.ResponseHeaders.Add(KnownHeader.Date, "Wed, 25 Nov 2026 10:00:00 GMT"u8);
            exchange.ResponseHeaders.Add(KnownHeader.ContentType, "application/json"u8);
            exchange.ResponseBody = body.Again();
            exchange.Answer(Outcome.Forwarded, 200);
            return default;
        });
        var time = TimeProvider.System;
        var recorder = new ExchangeRecorder(time, [], keepQueryValues: false, (_, failure) => throw failure);
        var handler = new GatewayHandler(new SnapshotHolder(snapshot), new ExchangesInFlight(), ExchangeTracing.Off, new ResponseRelay(new GatewayResponder(time), time), recorder, time, (_, bug) => throw bug);
        var settings = new ListenerSettings { Name = "ingress", Direction = Direction.Ingress, Address = new IPEndPoint(IPAddress.Loopback, 0) };
        var services = new EdgeServices(Direction.Ingress, () => settings, handler.HandleAsync, new ExchangeId(1), new Deadlines(time), (_, _, _) => throw new NotSupportedException(), new DrainSignal());

        var (toGateway, toClient) = (new Pipe(Inline), new Pipe(Inline));
        var transport = new DefaultConnectionContext("bench", new Duplex(toGateway.Reader, toClient.Writer), new Duplex(toClient.Reader, toGateway.Writer));
        var serving = new Http1Connection(transport, new ClientConnection { PeerAddress = IPAddress.Loopback }, services).RunAsync().AsTask();
        return () =>
        {
            toGateway.Writer.Write(HeadOperations.TypicalHead);
            Flushed(toGateway.Writer.FlushAsync());
            if (serving.IsCompleted || !toClient.Reader.TryRead(out var answer) || !answer.Buffer.FirstSpan.StartsWith("HTTP/1.1 200 OK\r\n"u8) || answer.Buffer.Length < 200)
            {
                throw new InvalidOperationException("The exchange did not end on this thread with its 200.");
            }

            toClient.Reader.AdvanceTo(answer.Buffer.End);
        };
    }

    private static void Flushed(ValueTask<FlushResult> flush) => AllOperations.Completed(flush.IsCompletedSuccessfully && !flush.GetAwaiter().GetResult().IsCompleted ? default : throw new InvalidOperationException("The connection is closed."));

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class ReadyBody(int length) : MessageBody
    {
        private int _left;

        public override long? Length => length;

        public ReadyBody Again()
        {
            _left = length;
            return this;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var read = Math.Min(_left, buffer.Length);
            buffer.Span[..read].Fill((byte)'x');
            _left -= read;
            return new(read);
        }
    }
}
