using System.Net;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.StoreBench;

/// <summary>Records as a gateway of a mid-sized company makes them: twenty APIs, most calls to a few of them, ids in paths, latencies in humps.</summary>
internal sealed class Traffic(int seed)
{
    private static readonly string[] Apis = [.. Enumerable.Range(0, 20).Select(i => $"api-{i}")];
    private static readonly string[] Hosts = [.. Enumerable.Range(0, 20).Select(i => $"api-{i}.example.com")];
    private static readonly string[] Destinations = [.. Enumerable.Range(0, 20).Select(i => $"https://api-{i}.example.com:443")];
    private static readonly Consumer[] Consumers = [.. Enumerable.Range(0, 12).Select(i => new Consumer($"service-{i}", $"tenant-{i % 4}", i % 5 == 0 ? "staging" : "production"))];
    private static readonly IPAddress[] Clients = [.. Enumerable.Range(0, 40).Select(i => new IPAddress(new byte[] { 10, 0, 1, (byte)i }))];
    private static readonly string[] Methods = ["GET", "GET", "GET", "POST"];

    private readonly Random _random = new(seed);
    private ulong _id;

    public void Fill(Span<ExchangeRecord> batch, DateTimeOffset started, TimeSpan apart)
    {
        foreach (ref var record in batch)
        {
            record = Next(started);
            started += apart;
        }
    }

    private ExchangeRecord Next(DateTimeOffset started)
    {
        // A few APIs have most of the calls.
        var api = (int)(20 * Math.Pow(_random.NextDouble(), 3));
        var fails = _random.Next(100) == 0;
        var total = TimeSpan.FromMilliseconds(Math.Exp(2 + (_random.NextDouble() * 3)));
        return new ExchangeRecord
        {
            Id = ++_id,
            Started = started,
            Direction = api % 3 == 0 ? Direction.Ingress : Direction.Egress,
            Api = Apis[api],
            Endpoint = "",
            Consumer = Consumers[_random.Next(Consumers.Length)],
            ClientAddress = Clients[_random.Next(Clients.Length)],
            ClientProtocol = ProtocolVersion.Http11,
            Method = Methods[_random.Next(Methods.Length)],
            Scheme = "https",
            Host = Hosts[api],
            Port = 443,
            Path = "/v1/items/" + _random.Next(50_000),
            Query = null,
            Status = fails ? 503 : 200,
            Outcome = Outcome.Forwarded,
            Attempts = 1,
            Destination = Destinations[api],
            UpstreamProtocol = ProtocolVersion.Http11,
            RequestBytes = _random.Next(4) == 0 ? _random.Next(2_000) : 0,
            ResponseBytes = _random.Next(200, 20_000),
            Policies = TimeSpan.FromMicroseconds(_random.Next(20, 80)),
            TimeToFirstByte = total - TimeSpan.FromMicroseconds(_random.Next(100, 1_000)),
            Total = total,
        };
    }
}
