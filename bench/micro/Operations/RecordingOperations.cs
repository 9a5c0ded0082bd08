using System.Net;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Recording.AccessLog;
using Tidegate.Recording.Metrics;
using Tidegate.Recording.Tracing;

namespace Tidegate.Benchmarks.Operations;

/// <summary>What watching costs: on the path its place in a trace and in flight; in the recorder's loop a record's way into the metrics.</summary>
internal static class RecordingOperations
{
    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("trace: note one", () => Begin(ExchangeTracing.Off)),
        ("trace: join one", () => Begin(ExchangeTracing.On(1, 1))),
        ("in flight: enter and leave", InFlight),
        ("record: make one", Record),
        ("access log: write 20 exchanges", AccessLog),
        ("metrics: count 20 exchanges", Metrics),
    ];

    private static Action Begin(ExchangeTracing tracing)
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null! };
        return () =>
        {
            exchange.Reset();
            exchange.RequestHeaders.Add(KnownHeader.Host, "api.example.com"u8);
            exchange.RequestHeaders.Add(KnownHeader.Accept, "*/*"u8);
            exchange.RequestHeaders.Add(KnownHeader.TraceParent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"u8);
            tracing.Begin(exchange);
        };
    }

    private static Action InFlight()
    {
        var inFlight = new ExchangesInFlight();
        return () =>
        {
            inFlight.Enter(Direction.Egress);
            inFlight.Leave(Direction.Egress);
        };
    }

    private static Action Record()
    {
        var blocks = new RecordBlocks(capacity: 4);
        var lane = new RecordLane(blocks);
        var maker = new RecordMaker(TimeProvider.System, keepQueryValues: false);
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Direction = Direction.Ingress, Method = "GET" };
        exchange.Target = TargetOperations.Of("/v1/charges/ch_1MmlLrLkdIwHu7ix?expand=customer");
        exchange.Destination = "http://127.0.0.1:80";
        exchange.Answer(Outcome.Forwarded, 200);
        return () =>
        {
            if (lane.Add(maker, exchange) == LaneResult.Lost)
            {
                throw new InvalidOperationException("There was no room for the record.");
            }

            if (blocks.Dequeue() is { } full)
            {
                blocks.Return(full);
            }
        };
    }

    private static Action AccessLog()
    {
        var sink = new AccessLogSink(Stream.Null);
        var batch = Batch();
        return () => AllOperations.Completed(sink.WriteAsync(batch, CancellationToken.None));
    }

    private static Action Metrics()
    {
        var metrics = new ExchangeMetrics();
        var batch = Batch();
        return () => AllOperations.Completed(metrics.WriteAsync(batch, CancellationToken.None));
    }

    private static ExchangeRecord[] Batch() =>
        [.. Enumerable.Range(0, 20).Select(i => new ExchangeRecord
        {
            Id = (ulong)i,
            Started = DateTimeOffset.UnixEpoch,
            Direction = Direction.Egress,
            Api = $"api-{i % 5}",
            Endpoint = "",
            Consumer = new Consumer($"consumer-{i}", "acme", "production"),
            ClientAddress = IPAddress.Parse("192.0.2.1"),
            ClientProtocol = ProtocolVersion.Http11,
            Method = "GET",
            Scheme = "https",
            Host = "api.example.com",
            Port = 443,
            Path = "/v1/charges",
            Status = 200,
            Outcome = Outcome.Forwarded,
            Attempts = 1,
            Total = TimeSpan.FromMilliseconds(i),
            TimeToFirstByte = TimeSpan.FromMilliseconds(i),
        })];
}
