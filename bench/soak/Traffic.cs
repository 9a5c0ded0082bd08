using System.Net;

namespace Tidegate.Soak;

/// <summary>Calls of every kind at a steady rate: good ones, large ones, refused ones, broken ones, and callers that leave.</summary>
internal sealed class Traffic(SoakGateway gateway, int perSecond)
{
    private const int Kinds = 20;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    private readonly HttpClient _kept = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromSeconds(30) }) { Timeout = TimeSpan.FromSeconds(30) };
    private long _calls;
    private readonly long[] _unexpected = new long[Kinds];
    private int _inFlight;

    public long Calls => Interlocked.Read(ref _calls);

    /// <summary>Calls that did not get what they should have.</summary>
    public long Unexpected => _unexpected.Sum();

    /// <summary>The same by kind of call, as the switch below numbers them.</summary>
    public string UnexpectedByKind => string.Join(", ", _unexpected.Select((count, kind) => (count, kind)).Where(entry => entry.count > 0).Select(entry => $"{entry.count} of kind {entry.kind}"));

    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Tick);
        var number = 0L;
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                for (var i = 0; i < perSecond / (1000 / Tick.TotalMilliseconds) && _inFlight < 500; i++)
                {
                    _ = CallAsync(number++);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The time is over: what is in flight ends by itself.
            await Task.Delay(TimeSpan.FromSeconds(3), CancellationToken.None);
        }
    }

    private async Task CallAsync(long number)
    {
        Interlocked.Increment(ref _inFlight);
        try
        {
            var isExpected = (number % Kinds) switch
            {
                0 => await StatusAsync("ingress", "/large") == 200,
                1 => await StatusAsync("ingress", "/", key: null) == 401,
                2 => await StatusAsync("egress", "/theirs/down") is 503,
                3 => await StatusAsync("egress", "/theirs/broken") is 0 or 502 or 503,
                4 => await LeaveAsync(),
                5 => await NewConnectionAsync(),
                6 => await StatusAsync("ingress", $"/many/{number}", many: $"{number % 100_000}") is 200 or 429,
                7 => await StatusAsync("ingress", "/", content: new byte[20_000]) == 200,
                8 => await StatusAsync("ingress", "/a%2fb") == 400,
                < 14 => await StatusAsync("egress", $"/theirs/items/{number}") is 200 or 503,
                _ => await StatusAsync("ingress", $"/items/{number}") == 200,
            };
            Interlocked.Add(ref _unexpected[number % Kinds], isExpected ? 0 : 1);
        }
        catch (Exception failed) when (failed is HttpRequestException or OperationCanceledException or IOException)
        {
            Interlocked.Increment(ref _unexpected[number % Kinds]);
        }
        finally
        {
            Interlocked.Increment(ref _calls);
            Interlocked.Decrement(ref _inFlight);
        }
    }

    private Task<int> StatusAsync(string listener, string path, string? key = "soak-key-of-the-soak-test", byte[]? content = null, string? many = null) =>
        StatusAsync(_kept, listener, path, key, content, many, CancellationToken.None);

    private async Task<int> StatusAsync(HttpClient client, string listener, string path, string? key, byte[]? content, string? many, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(content is null ? HttpMethod.Get : HttpMethod.Post, new Uri(gateway[listener], path));
        request.Content = content is null ? null : new ByteArrayContent(content);
        if (key is not null && listener == "ingress")
        {
            request.Headers.Add("X-Api-Key", key);
        }

        if (many is not null)
        {
            request.Headers.Add("X-Many", many);
        }

        try
        {
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            await answer.Content.CopyToAsync(Stream.Null, cancellation);
            return (int)answer.StatusCode;
        }
        catch (Exception broken) when (path.EndsWith("/broken", StringComparison.Ordinal) && broken is HttpRequestException or IOException)
        {
            return 0;
        }
    }

    private async Task<bool> LeaveAsync()
    {
        using var leaving = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        try
        {
            await StatusAsync(_kept, "ingress", "/slow", "soak-key-of-the-soak-test", null, null, leaving.Token);
            return false;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    private async Task<bool> NewConnectionAsync()
    {
        using var client = new HttpClient { DefaultRequestVersion = HttpVersion.Version11 };
        return await StatusAsync(client, "ingress", "/", "soak-key-of-the-soak-test", null, null, CancellationToken.None) == 200;
    }
}
