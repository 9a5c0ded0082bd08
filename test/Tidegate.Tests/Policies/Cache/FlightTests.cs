using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>Many exchanges that want the same at the same time.</summary>
public sealed class FlightTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly CacheBench _bench = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task They_ask_once_and_all_get_the_whole_answer_while_it_comes()
    {
        var body = new FedBody();
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        var calls = Enumerable.Range(0, 20).Select(_ => _bench.CallAsync()).ToList();
        body.Feed("first ");
        var late = _bench.CallAsync();
        body.Feed("second");
        body.End();

        foreach (var answer in await Task.WhenAll([.. calls, late]).WaitAsync(Patience, Cancellation))
        {
            Assert.Equal("first second", answer.Content);
        }

        Assert.Single(_bench.Asked);
        Assert.Equal(20, calls.Count(call => call.Result().Cache == CacheResult.Collapsed) + (late.Result().Cache == CacheResult.Collapsed ? 1 : 0));
        Assert.True((await _bench.CallAsync()) is { Cache: CacheResult.Hit, Content: "first second" });
        Assert.Empty(_bench.Bugs);
    }

    [Fact]
    public async Task The_client_who_asked_may_leave_and_the_others_still_get_everything()
    {
        var body = new FedBody();
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        using var leaving = new CancellationTokenSource();
        var leader = CacheBench.Request();
        leader.Aborted = leaving.Token;
        var leads = _bench.RunAsync(leader);
        var follows = _bench.CallAsync();
        body.Feed("first ");
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leads.WaitAsync(Patience, Cancellation));
        await leader.ResponseBody.DisposeAsync();
        body.Feed("second");
        body.End();

        Assert.Equal("first second", (await follows.WaitAsync(Patience, Cancellation)).Content);
        Assert.False(body.Token.IsCancellationRequested);
    }

    [Fact]
    public async Task When_all_have_left_the_upstream_is_told()
    {
        var body = new FedBody();
        _bench.Upstream = asked =>
        {
            body.Token = asked.Aborted;
            return CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        };
        using var leaving = new CancellationTokenSource();
        var calls = Enumerable.Range(0, 3).Select(_ =>
        {
            var exchange = CacheBench.Request();
            exchange.Aborted = leaving.Token;
            return (Exchange: exchange, Run: _bench.RunAsync(exchange));
        }).ToList();
        body.Feed("first ");
        await leaving.CancelAsync();
        foreach (var (exchange, run) in calls)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.WaitAsync(Patience, Cancellation));
            await exchange.ResponseBody.DisposeAsync();
        }

        Assert.True(body.Token.IsCancellationRequested);
        Assert.Equal(0, _bench.Cache.Flights.Count);
    }

    [Fact]
    public async Task What_cannot_be_stored_lets_all_go_on_by_themselves_and_nobody_waits_for_it_again()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _bench.Upstream = async asked =>
        {
            await gate.Task;
            await CacheBench.Answer(asked, 200, "Cache-Control: no-store", "own");
        };
        var calls = Enumerable.Range(0, 10).Select(_ => _bench.CallAsync()).ToList();
        Assert.Single(_bench.Asked);
        gate.SetResult();
        await Task.WhenAll(calls).WaitAsync(Patience, Cancellation);
        Assert.Equal(10, _bench.Asked.Count);

        gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        calls = [.. Enumerable.Range(0, 10).Select(_ => _bench.CallAsync())];
        Assert.Equal(20, _bench.Asked.Count);
        gate.SetResult();
        await Task.WhenAll(calls).WaitAsync(Patience, Cancellation);
    }

    [Fact]
    public async Task A_failure_is_not_shared_before_somebody_has_tried_once_more()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var attempts = 0;
        _bench.Upstream = async asked =>
        {
            await gate.Task;
            if (Interlocked.Increment(ref attempts) == 1)
            {
                asked.Fail(new Failure(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "broken"));
                return;
            }

            await CacheBench.Answer(asked, 200, "Cache-Control: max-age=60");
        };
        var calls = Enumerable.Range(0, 10).Select(_ => _bench.CallAsync()).ToList();
        gate.SetResult();
        var answers = await Task.WhenAll(calls).WaitAsync(Patience, Cancellation);
        Assert.Equal(1, answers.Count(answer => answer.Exchange.Outcome == Outcome.Failed));
        Assert.Equal(9, answers.Count(answer => answer.Content == "content"));
        Assert.InRange(_bench.Asked.Count, 2, 4);
    }

    [Fact]
    public async Task A_refusal_is_for_the_one_who_was_refused()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var attempts = 0;
        _bench.Upstream = async asked =>
        {
            await gate.Task;
            if (Interlocked.Increment(ref attempts) == 1)
            {
                asked.Reject(new Rejection("limits", "rate_limited", 429, "no room"));
                return;
            }

            await CacheBench.Answer(asked, 200, "Cache-Control: max-age=60");
        };
        var calls = Enumerable.Range(0, 5).Select(_ => _bench.CallAsync()).ToList();
        gate.SetResult();
        var answers = await Task.WhenAll(calls).WaitAsync(Patience, Cancellation);
        Assert.Equal(1, answers.Count(answer => answer.Exchange.Outcome == Outcome.Rejected));
        Assert.Equal(4, answers.Count(answer => answer.Content == "content"));
    }

    [Fact]
    public async Task An_answer_for_another_variant_is_not_taken()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _bench.Upstream = async asked =>
        {
            await gate.Task;
            await CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nVary: Accept-Language", asked.RequestHeaders.Get("Accept-Language")!);
        };
        string[] languages = ["en", "de", "en", "fr", "en"];
        var calls = languages.Select(language => _bench.CallAsync(fields: "Accept-Language: " + language)).ToList();
        gate.SetResult();
        var answers = await Task.WhenAll(calls).WaitAsync(Patience, Cancellation);
        Assert.Equal(languages, answers.Select(answer => answer.Content));
    }

    [Fact]
    public async Task Content_that_was_cut_short_is_neither_kept_nor_taken_for_complete()
    {
        var body = new FedBody();
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        var calls = Enumerable.Range(0, 3).Select(_ => _bench.CallAsync()).ToList();
        body.Feed("first ");
        body.Break();
        foreach (var call in calls)
        {
            var broken = await Assert.ThrowsAsync<MessageBodyException>(() => call.WaitAsync(Patience, Cancellation));
            Assert.Equal("response_truncated", broken.Failure.Code);
        }

        Assert.Equal((0, 0L), (_bench.Cache.Store.Count, _bench.Cache.Store.Bytes));
    }

    [Fact]
    public async Task Content_that_turns_out_too_large_reaches_everybody_in_bounded_memory_and_is_not_kept()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, MaxEntryBytes = 100_000 });
        var body = new FedBody();
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        var calls = Enumerable.Range(0, 3).Select(_ => bench.CallAsync()).ToList();
        var piece = new string('x', 10_000);
        for (var i = 0; i < 200; i++)
        {
            body.Feed(piece);
        }

        body.End();
        foreach (var answer in await Task.WhenAll(calls).WaitAsync(Patience, Cancellation))
        {
            Assert.Equal(2_000_000, answer.Content.Length);
        }

        Assert.Equal((0, 0L), (bench.Cache.Store.Count, bench.Cache.Store.Bytes));
    }

    [Fact]
    public async Task What_was_purged_while_it_was_on_its_way_is_not_used_afterwards()
    {
        var body = new FedBody();
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        var call = _bench.CallAsync();
        body.Feed("old");
        _bench.Cache.PurgeUrl("api.test/a", isSoft: false);
        var after = CacheBench.Request();
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", "new");
        Assert.Equal("new", (await _bench.RunAsync(after).WaitAsync(Patience, Cancellation)).Content);
        body.End();
        Assert.Equal("old", (await call.WaitAsync(Patience, Cancellation)).Content);
        Assert.NotEqual("old", (await _bench.CallAsync()).Content);
    }

    /// <summary>Content that comes when the test says so.</summary>
    internal sealed class FedBody : MessageBody
    {
        private readonly Queue<byte[]?> _pieces = new();
        private readonly SemaphoreSlim _more = new(0);
        private byte[] _rest = [];

        public CancellationToken Token { get; set; }

        public override long? Length => null;

        public void Feed(string text) => Add(System.Text.Encoding.UTF8.GetBytes(text));

        public void End() => Add([]);

        public void Break() => Add(null);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            Token = cancellationToken;
            if (_rest.Length == 0)
            {
                await _more.WaitAsync(cancellationToken);
                lock (_pieces)
                {
                    _rest = _pieces.Dequeue() ?? throw new MessageBodyException(new Failure(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "cut"));
                }
            }

            var count = Math.Min(buffer.Length, _rest.Length);
            _rest.AsSpan(0, count).CopyTo(buffer.Span);
            _rest = _rest[count..];
            return count;
        }

        private void Add(byte[]? piece)
        {
            lock (_pieces)
            {
                _pieces.Enqueue(piece);
            }

            _more.Release();
        }
    }
}

internal static class CompletedTask
{
    /// <summary>Of a task that is known to have ended.</summary>
    public static T Result<T>(this Task<T> task) => task.GetAwaiter().GetResult();
}
