using System.Net;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Tests.Control.Store;

/// <summary>Records of every shape, from a seed.</summary>
internal static class StoreRecords
{
    public static ExchangeRecord Next(Random random, ulong id, DateTimeOffset started)
    {
        var outcome = (Outcome)random.Next(1, 6);
        var attempts = outcome == Outcome.Rejected ? 0 : random.Next(1, 4);
        return new ExchangeRecord
        {
            Id = id,
            Started = new DateTimeOffset(started.UtcTicks - (started.UtcTicks % 10), TimeSpan.Zero),
            Direction = (Direction)random.Next(2),
            Api = Of(random, "stripe", "github", "orders", ""),
            Endpoint = Of(random, "", "charges", "GET /v1/*"),
            Consumer = random.Next(3) == 0 ? Consumer.Anonymous : new Consumer(Of(random, "billing", "café"), Of(random, "acme", "globex"), Of(random, "production", "staging")),
            ClientAddress = random.Next(4) == 0 ? IPAddress.Parse("2001:db8::" + random.Next(50)) : new IPAddress(new byte[] { 10, 0, 0, (byte)random.Next(50) }),
            ClientProtocol = (ProtocolVersion)random.Next(5),
            Method = Of(random, "GET", "POST", "BREW"),
            Scheme = Of(random, "http", "https"),
            Host = Of(random, "api.stripe.com", "10.0.0.1", "xn--caf-dma.example"),
            Port = random.Next(1, 65536),
            Path = "/" + string.Join('/', Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(1000))),
            Query = random.Next(2) == 0 ? null : Of(random, "", "a=***&b=***"),
            Status = outcome switch { Outcome.Forwarded => Of(random, 200, 200, 200, 404, 429, 503), Outcome.ServedFromCache or Outcome.ServedFromFallback => 200, Outcome.Rejected => Of(random, 401, 429), _ => Of(random, 502, 504, 0) },
            Outcome = outcome,
            Reason = outcome == Outcome.Rejected ? "limits" : outcome == Outcome.Failed ? "upstream" : "",
            Code = outcome == Outcome.Rejected ? "rate_limited" : outcome == Outcome.Failed ? "connect_failed" : "",
            Detail = outcome == Outcome.Failed ? "It's \"down\"." : "",
            Observed = random.Next(5) == 0 ? [new PolicyDecision("limits", "rate_limited"), new PolicyDecision("cache", "x")] : [],
            Cache = (CacheResult)random.Next(12),
            IsCacheOverridden = random.Next(10) == 0,
            UnreadCosts = (UnreadCosts)random.Next(4),
            CachePurges = random.Next(3),
            Attempts = attempts,
            Cost = attempts == 0 || random.Next(3) == 0 ? ExchangeCost.None : new ExchangeCost(random.NextInt64(1L << random.Next(1, 60)) / 1_000_000_000_000m, Of(random, "USD", "EUR"), attempts, random.Next(4) == 0 ? 1 : 0),
            Retries = attempts > 1 ? [new RetryNote("503", TimeSpan.FromMilliseconds(random.Next(1000)), "") { Result = "won", Destination = "http://a.test", Region = "eu", Credential = "second", Began = TimeSpan.FromMicroseconds(random.Next(1_000_000)), Took = TimeSpan.FromMicroseconds(random.Next(1_000_000)) }, new RetryNote("503", TimeSpan.Zero, "attempts")] : [],
            Destination = attempts == 0 ? "" : Of(random, "https://a.test:443", "http://10.0.0.2:80"),
            Region = Of(random, "", "eu", "us"),
            Credential = Of(random, "", "first"),
            Auth = (AuthFields)random.Next(8),
            UpstreamProtocol = (ProtocolVersion)random.Next(5),
            RequestBytes = random.Next(3) == 0 ? 0 : random.NextInt64(1L << random.Next(1, 40)),
            ResponseBytes = random.NextInt64(1L << random.Next(1, 40)),
            QueuePosition = random.Next(4),
            Queue = Duration(random),
            Policies = Duration(random),
            Connect = Duration(random),
            TimeToFirstByte = Duration(random),
            Total = Duration(random),
            Trace = random.Next(2) == 0 ? default : new TraceContext((ulong)random.NextInt64(1, long.MaxValue), 7, 3, 4, 1),
        };
    }

    public static ExchangeRecord[] Batch(Random random, ref ulong id, DateTimeOffset started, int count)
    {
        var batch = new ExchangeRecord[count];
        for (var i = 0; i < count; i++)
        {
            batch[i] = Next(random, ++id, started.AddMilliseconds(i));
        }

        return batch;
    }

    /// <summary>Everything that a record says, because records with lists are not equal by themselves.</summary>
    public static string Text(ExchangeRecord record)
    {
        using var buffer = new MemoryStream();
        using (var json = new System.Text.Json.Utf8JsonWriter(buffer))
        {
            ExchangeJson.Write(json, in record);
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray()) + record.Detail + record.UpstreamProtocol + record.Trace;
    }

    private static TimeSpan Duration(Random random) => random.Next(4) == 0 ? TimeSpan.Zero : TimeSpan.FromMicroseconds(random.Next(1, 1 << random.Next(1, 24)));

    private static T Of<T>(Random random, params T[] choices) => choices[random.Next(choices.Length)];
}
