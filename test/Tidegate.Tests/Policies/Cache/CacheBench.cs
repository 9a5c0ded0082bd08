using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>A cache policy on a virtual clock, with an upstream that the test plays.</summary>
internal sealed class CacheBench
{
    public CacheBench(CacheSettings? settings = null, FakeTimeProvider? time = null)
    {
        Time = time ?? new FakeTimeProvider(Start);
        Cache = new HttpCache(Time) { OnBug = bug => Bugs.Add(bug) };
        Policy = new CachePolicy(settings ?? new CacheSettings { Api = "api", Partition = CachePartition.None }, Cache);
    }

    public static DateTimeOffset Start { get; } = new(2026, 11, 25, 10, 0, 0, TimeSpan.Zero);

    public FakeTimeProvider Time { get; }

    public HttpCache Cache { get; }

    public CachePolicy Policy { get; }

    public List<Exception> Bugs { get; } = [];

    /// <summary>What the upstream was asked.</summary>
    public List<Exchange> Asked { get; } = [];

    /// <summary>How it answers.</summary>
    public Func<Exchange, Task> Upstream { get; set; } = exchange => Answer(exchange, 200, "Cache-Control: max-age=60");

    public static Task Answer(Exchange exchange, int status, string fields, string content = "content") => Answer(exchange, status, fields, new TextBody(content));

    public static Task Answer(Exchange exchange, int status, string fields, MessageBody content)
    {
        foreach (var line in fields.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = line.IndexOf(':');
            exchange.ResponseHeaders.Add(line[..colon], line[(colon + 1)..].Trim());
        }

        exchange.ResponseBody = content;
        exchange.Attempts++;
        exchange.Answer(Outcome.Forwarded, status);
        return Task.CompletedTask;
    }

    public static Exchange Request(string method = "GET", string path = "/a", string fields = "", string content = "", Consumer? consumer = null)
    {
        var question = path.IndexOf('?');
        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = null!,
            Method = method,
            Target = new ExchangeTarget("https", "api.test", 443, question < 0 ? path : path[..question], question < 0 ? null : path[(question + 1)..]),
            Consumer = consumer ?? Consumer.Anonymous,
            RequestBody = content.Length == 0 ? MessageBody.Empty : new TextBody(content),
        };
        foreach (var line in fields.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = line.IndexOf(':');
            exchange.RequestHeaders.Add(line[..colon], line[(colon + 1)..].Trim());
        }

        return exchange;
    }

    /// <summary>One call to its end.</summary>
    public Task<CacheAnswer> CallAsync(string method = "GET", string path = "/a", string fields = "", string content = "", Consumer? consumer = null) =>
        RunAsync(Request(method, path, fields, content, consumer));

    public async Task<CacheAnswer> RunAsync(Exchange exchange)
    {
        await Policy.InvokeAsync(exchange, async asked =>
        {
            lock (Asked)
            {
                Asked.Add(asked);
            }

            await Upstream(asked);
        });
        return await ReadAsync(exchange);
    }

    public static async Task<CacheAnswer> ReadAsync(Exchange exchange)
    {
        var content = new MemoryStream();
        try
        {
            var buffer = new byte[1000];
            while (exchange.Outcome is Outcome.Forwarded or Outcome.ServedFromCache && exchange.Method != "HEAD" && await exchange.ResponseBody.ReadAsync(buffer, exchange.Aborted) is > 0 and var read)
            {
                content.Write(buffer, 0, read);
            }
        }
        finally
        {
            await exchange.ResponseBody.DisposeAsync();
            exchange.EndAnswer(downTo: 0);
        }

        return new CacheAnswer(exchange, Encoding.UTF8.GetString(content.ToArray()));
    }

    internal sealed class TextBody(string text) : MessageBody
    {
        private readonly byte[] _bytes = Encoding.UTF8.GetBytes(text);
        private int _offset;

        public override long? Length => _bytes.Length;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var count = Math.Min(buffer.Length, _bytes.Length - _offset);
            _bytes.AsMemory(_offset, count).CopyTo(buffer);
            _offset += count;
            return new ValueTask<int>(count);
        }
    }
}

/// <summary>What a call got.</summary>
internal sealed record CacheAnswer(Exchange Exchange, string Content)
{
    public int Status => Exchange.ResponseStatus;

    public CacheResult Cache => Exchange.Cache;

    public bool IsFromStore => Exchange.Outcome == Outcome.ServedFromCache;

    public string? this[string field] => Exchange.ResponseHeaders.Get(field);
}
