using System.Net;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Two requests for one call, over sockets: who wins, and that the other leaves nothing behind.</summary>
public sealed class HedgeTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null)]
    [InlineData("sockets_http_handler")]
    public async Task The_second_answers_while_the_first_is_slow_and_the_first_is_broken_off(string? client)
    {
        await using var slow = new Upstream("slow", answersAfter: Timeout.InfiniteTimeSpan);
        await using var quick = new Upstream("quick", answersAfter: TimeSpan.Zero);
        await using var gateway = await StartAsync([slow, quick], "after: 50ms, budget: 100%", client: client);
        using var caller = new HttpClient();

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("quick /", await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        }

        await slow.BrokenOffAsync(3);
        var record = (await gateway.RecordsAsync(3, Cancellation))[0];
        Assert.Equal((quick.Url, 2, 200), (record.Destination, record.Attempts, record.Status));
        Assert.Equal(("hedge", "won", slow.Url, TimeSpan.FromMilliseconds(50)), (record.Retries[0].Cause, record.Retries[0].Result, record.Retries[0].Destination, record.Retries[0].Pause));
        await NothingIsLeftAsync(gateway);
        Assert.Contains("""tidegate_hedges_total{api="provider",result="won"} 3""", await caller.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_first_answers_after_all_and_the_second_is_broken_off()
    {
        await using var second = new Upstream("second", answersAfter: Timeout.InfiniteTimeSpan);
        await using var first = new Upstream("first", answersWhen: second.AskedAsync());
        await using var gateway = await StartAsync([first, second], "after: 50ms, budget: 100%");
        using var caller = new HttpClient();

        Assert.Equal("first /", await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));

        await second.BrokenOffAsync(1);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((first.Url, 2), (record.Destination, record.Attempts));
        Assert.Equal(("lost", second.Url), (record.Retries[0].Result, record.Retries[0].Destination));
        await NothingIsLeftAsync(gateway);
    }

    [Fact]
    public async Task What_the_first_answers_late_reaches_no_client_however_often_it_happens()
    {
        // Both answer at nearly the same time, each call with its own number: nobody gets another's, or two.
        const int Calls = 60;
        await using var first = new Upstream("first", answersAfter: TimeSpan.FromMilliseconds(22));
        await using var second = new Upstream("second", answersAfter: TimeSpan.FromMilliseconds(1));
        await using var gateway = await StartAsync([first, second], "after: 20ms, budget: 100%");
        using var caller = new HttpClient();
        await Parallel.ForEachAsync(Enumerable.Range(0, Calls), new ParallelOptions { MaxDegreeOfParallelism = 6, CancellationToken = Cancellation }, async (number, cancellation) =>
        {
            var answer = await caller.GetStringAsync($"http://{gateway["egress"]}/provider/{number}", cancellation);
            Assert.Contains(answer, (string[])[$"first /{number}", $"second /{number}"]);
        });

        Assert.All(await gateway.RecordsAsync(Calls, Cancellation), record => Assert.Equal((Outcome.Forwarded, 200), (record.Outcome, record.Status)));
        await NothingIsLeftAsync(gateway);
    }

    [Fact]
    public async Task Beyond_the_budget_the_first_is_waited_for()
    {
        await using var slow = new Upstream("slow", answersAfter: TimeSpan.FromSeconds(1));
        await using var gateway = await StartAsync([slow], "after: 20ms, budget: 1%");
        using var caller = new HttpClient();
        for (var i = 0; i < 4; i++)
        {
            await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation);
        }

        var records = await gateway.RecordsAsync(4, Cancellation);
        Assert.Equal([2, 1, 1, 1], records.Select(record => record.Attempts));
        Assert.All(records.Skip(1), record => Assert.Equal(("hedge", "budget"), (record.Retries[0].Cause, record.Retries[0].Stopped)));
    }

    [Fact]
    public async Task A_limit_counts_each_request_and_refuses_the_second_when_there_is_no_room()
    {
        // The first answers when the second has come, which never answers; the third leaves time for a fourth that does not come.
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var asked = 0;
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                switch (Interlocked.Increment(ref asked))
                {
                    case 1:
                        await second.Task;
                        break;
                    case 2:
                        second.SetResult();
                        await connection.WaitForEndAsync();
                        return;
                    default:
                        await Task.Delay(3_000, connection.Stopping);
                        break;
                }

                await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nslow /");
            }
        });
        await using var gateway = await StartAsync([$"http://127.0.0.1:{upstream.Port}"], "after: 20ms, budget: 100%", "limits: [{ rate: 3/h, when_exceeded: queue }]");
        using var caller = new HttpClient();
        Assert.Equal("slow /", await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        Assert.Equal("slow /", await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));

        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.Equal([(2, "lost"), (1, "refused")], records.Select(record => (record.Attempts, record.Retries[0].Result)));
    }

    [Fact]
    public async Task A_client_that_leaves_while_two_are_under_way_breaks_off_both()
    {
        await using var first = new Upstream("first", answersAfter: Timeout.InfiniteTimeSpan);
        await using var second = new Upstream("second", answersAfter: Timeout.InfiniteTimeSpan);
        await using var gateway = await StartAsync([first, second], "after: 20ms, budget: 100%");
        using var caller = new HttpClient();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var call = caller.GetAsync($"http://{gateway["egress"]}/provider/", leaving.Token);
        await second.AskedAsync();
        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await first.BrokenOffAsync(1);
        await second.BrokenOffAsync(1);
        Assert.Equal("client_aborted", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
        await NothingIsLeftAsync(gateway);
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_reads_the_winners_answer_breaks_it_off()
    {
        await using var slow = new Upstream("slow", answersAfter: Timeout.InfiniteTimeSpan);
        await using var endless = new Upstream("endless", answersAfter: TimeSpan.Zero, isEndless: true);
        await using var gateway = await StartAsync([slow, endless], "after: 20ms, budget: 100%");
        using var caller = new HttpClient();
        using (var answer = await caller.GetAsync($"http://{gateway["egress"]}/provider/", HttpCompletionOption.ResponseHeadersRead, Cancellation))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        await slow.BrokenOffAsync(1);
        await endless.BrokenOffAsync(1);
        Assert.Equal("client_aborted", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
        await NothingIsLeftAsync(gateway);
    }

    [Fact]
    public async Task A_post_is_sent_once_however_slow_it_is()
    {
        await using var slow = new Upstream("slow", answersAfter: TimeSpan.FromMilliseconds(150));
        await using var gateway = await StartAsync([slow], "after: 20ms, budget: 100%");
        using var caller = new HttpClient();
        using var answer = await caller.PostAsync($"http://{gateway["egress"]}/provider/", new StringContent("pay"), Cancellation);
        Assert.Equal(1, (await gateway.RecordsAsync(1, Cancellation))[0].Attempts);
    }

    /// <summary>Every connection that is open waits for the next request: none is held by an exchange that is over.</summary>
    private static async Task NothingIsLeftAsync(TestGateway gateway)
    {
        await Eventually.HoldsAsync(() => gateway.UpstreamPools.All(pool => pool.Open == pool.Idle), "A connection is held.", Cancellation);
        Assert.All(gateway.UpstreamPools, pool => Assert.Equal((pool.Open, 0), (pool.Idle, pool.Waiting)));
    }

    private static Task<TestGateway> StartAsync(IReadOnlyList<Upstream> upstreams, string hedge, string more = "max_request_body: 1MB", string? client = null) =>
        StartAsync([.. upstreams.Select(upstream => upstream.Url)], hedge, more, client);

    private static Task<TestGateway> StartAsync(IReadOnlyList<string> upstreams, string hedge, string more, string? client = null) => TestGateway.StartAsync(
        $$"""
        listeners:
          egress: { address: 127.0.0.1:0 }
          admin: { address: 127.0.0.1:0 }
        apis:
          - name: provider
            direction: egress
            hosts: [provider.test]
            base_path: /provider
            upstream: { destinations: [{{string.Join(", ", upstreams.Select(upstream => $"\"{upstream}\""))}}], balance: ordered }
            hedge: { {{hedge}} }
            {{more}}
        """,
        Cancellation,
        upstreamClient: client);

    /// <summary>Answers each request with its name and the path, after a time or never, and counts connections that were closed on it meanwhile.</summary>
    private sealed class Upstream : IAsyncDisposable
    {
        private readonly ScriptedUpstream _upstream;
        private readonly SemaphoreSlim _broken = new(0);
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Upstream(string name, TimeSpan answersAfter = default, bool isEndless = false, Task? answersWhen = null) => _upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } request)
            {
                _asked.TrySetResult();
                await (answersWhen ?? Task.CompletedTask);
                var text = name + " " + request.Split(' ')[1];
                if (answersAfter == Timeout.InfiniteTimeSpan)
                {
                    await BrokenOffAsync(connection);
                    return;
                }

                await Task.Delay(answersAfter, connection.Stopping);
                await connection.WriteAsync(isEndless ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n" : $"HTTP/1.1 200 OK\r\nContent-Length: {text.Length}\r\n\r\n{text}");
                if (isEndless)
                {
                    await BrokenOffAsync(connection);
                    return;
                }
            }
        });

        public string Url => $"http://127.0.0.1:{_upstream.Port}";

        public Task AskedAsync() => _asked.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);

        public async Task BrokenOffAsync(int times)
        {
            for (var i = 0; i < times; i++)
            {
                Assert.True(await _broken.WaitAsync(TimeSpan.FromSeconds(60), Cancellation), "The connection was not closed.");
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _upstream.DisposeAsync();
            _broken.Dispose();
        }

        private async Task BrokenOffAsync(ScriptedConnection connection)
        {
            try
            {
                await connection.WaitForEndAsync();
            }
            catch (Exception reset) when (reset is IOException or System.Net.Sockets.SocketException)
            {
                // Closed with what was still to be read: the same.
            }

            _broken.Release();
        }
    }
}
