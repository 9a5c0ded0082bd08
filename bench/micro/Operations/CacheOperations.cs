using System.Net;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;

namespace Tidegate.Benchmarks.Operations;

/// <summary>What the cache costs an exchange that is answered from it, and one that is only looked for.</summary>
internal static class CacheOperations
{
    private static readonly byte[] Buffer = new byte[16 * 1024];

    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("cache: hit of 1 KiB", () => Hit(1024, "")),
        ("cache: hit of 1 KiB, one of 20 variants", () => Hit(1024, "Vary: Accept-Language\n", variants: 20)),
        ("cache: hit, answered by 304", () => Hit(1024, "ETag: \"v1\"\n", condition: "\"v1\"")),
        ("cache: hit, a range", () => Hit(64 * 1024, "", range: "bytes=1000-1999")),
        ("cache: key and miss", Miss),
    ];

    private static Action Hit(int length, string fields, int variants = 1, string? condition = null, string? range = null)
    {
        var cache = new HttpCache(TimeProvider.System);
        var policy = new CachePolicy(new CacheSettings { Api = "api", Partition = CachePartition.None }, cache);
        for (var i = 0; i < variants; i++)
        {
            AllOperations.Completed(policy.InvokeAsync(Request("lang-" + i), exchange => Answer(exchange, length, fields)));
        }

        var exchange = Request("lang-0");
        if (condition is not null)
        {
            exchange.RequestHeaders.Add(KnownHeader.IfNoneMatch, condition);
        }

        if (range is not null)
        {
            exchange.RequestHeaders.Add(KnownHeader.Range, range);
        }

        ExchangeHandler next = static _ => throw new InvalidOperationException("It is no hit.");
        return () =>
        {
            exchange.ForgetAnswer();
            AllOperations.Completed(policy.InvokeAsync(exchange, next));
            while (Read(exchange) > 0)
            {
            }

            AllOperations.Completed(exchange.ResponseBody.DisposeAsync());
        };
    }

    private static Action Miss()
    {
        var cache = new HttpCache(TimeProvider.System);
        var settings = new CacheSettings { Api = "api", Partition = CachePartition.None };
        var exchange = Request("en");
        var route = CacheKeyParts.Of(settings, cache.Secret);
        return () =>
        {
            var key = CacheKey.Of(exchange, settings, route)!.Value;
            if (cache.Store.Find(key.Value, exchange.RequestHeaders, out _) is not null)
            {
                throw new InvalidOperationException("It is no miss.");
            }
        };
    }

    private static int Read(Exchange exchange)
    {
        var read = exchange.ResponseBody.ReadAsync(Buffer, CancellationToken.None);
        return read.IsCompletedSuccessfully ? read.GetAwaiter().GetResult() : throw new InvalidOperationException("A stored answer is there.");
    }

    private static Exchange Request(string language)
    {
        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = null!,
            Method = "GET",
            Target = new ExchangeTarget("https", "api.example.com", 443, "/orders/17", "page=2"),
        };
        exchange.RequestHeaders.Add("Host", "api.example.com");
        exchange.RequestHeaders.Add("User-Agent", "benchmark/1.0");
        exchange.RequestHeaders.Add("Accept", "application/json");
        exchange.RequestHeaders.Add("Accept-Language", language);
        exchange.RequestHeaders.Add("Accept-Encoding", "gzip, br");
        return exchange;
    }

    private static ValueTask Answer(Exchange exchange, int length, string fields)
    {
        exchange.ResponseHeaders.Add("Date", "Wed, 25 Nov 2026 10:00:00 GMT");
        exchange.ResponseHeaders.Add("Content-Type", "application/json");
        exchange.ResponseHeaders.Add("Cache-Control", "max-age=31536000");
        exchange.ResponseHeaders.Add("Server", "benchmark");
        foreach (var line in fields.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            exchange.ResponseHeaders.Add(line[..line.IndexOf(':')], line[(line.IndexOf(':') + 2)..]);
        }

        exchange.ResponseBody = new Zeros(length);
        exchange.Answer(Outcome.Forwarded, 200);
        return default;
    }

    private sealed class Zeros(int length) : MessageBody
    {
        private int _left = length;

        public override long? Length { get; } = length;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var count = Math.Min(_left, buffer.Length);
            buffer.Span[..count].Clear();
            _left -= count;
            return new ValueTask<int>(count);
        }
    }
}
