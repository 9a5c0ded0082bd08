using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>Many exchanges that want the same at the same time.</summary>
public sealed class FlightTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

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

        // Readers may be at the end a moment before it is in the store.
        for (var i = 0; i < 12_000 && _bench.Cache.Store.Count == 0; i++)
        {
            await Task.Delay(5, Cancellation);
        }

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

    [Fact]
    public async Task Whoever_waits_for_a_flight_that_is_withdrawn_looks_into_the_store()
    {
        // The answer comes into the store between the first look and the last one, and somebody joins in between.
        await _bench.CallAsync();
        var settings = new CacheSettings { Api = "api", Partition = CachePartition.None };
        var exchange = CacheBench.Request();
        var key = CacheKey.Of(exchange, settings, CacheKeyParts.Of(settings, _bench.Cache.Secret))!.Value;
        var flight = new Flight(_bench.Cache, settings, exchange, new Wanted(key, default, null, CacheResult.Miss), null);
        Assert.True(_bench.Cache.Flights.TryAdd(flight));
        var follower = CacheBench.Request();
        follower.RequestHeaders.Add("Cache-Control", "max-age=0");
        _bench.Time.Advance(TimeSpan.FromSeconds(1));
        var waits = _bench.RunAsync(follower);
        Assert.False(waits.IsCompleted);

        flight.Withdraw();
        Assert.Equal("content", (await waits.WaitAsync(Patience, Cancellation)).Content);
        Assert.Equal(0, _bench.Cache.Flights.Count);
    }

    [Fact]
    public async Task A_seat_in_a_flight_that_is_withdrawn_is_told_so_at_once()
    {
        var settings = new CacheSettings { Api = "api", Partition = CachePartition.None };
        var exchange = CacheBench.Request();
        var key = CacheKey.Of(exchange, settings, CacheKeyParts.Of(settings, _bench.Cache.Secret))!.Value;
        var flight = new Flight(_bench.Cache, settings, exchange, new Wanted(key, default, null, CacheResult.Miss), null);
        Assert.True(_bench.Cache.Flights.TryAdd(flight));
        var seat = _bench.Cache.Flights.TryJoin(key.Value)!;
        flight.Withdraw();
        await seat.Signal.WaitAsync().AsTask().WaitAsync(Patience, Cancellation);
        Assert.Equal(FlightResult.Withdrawn, flight.Result);
        seat.Leave();
        Assert.Null(flight.TryTakeSeat());
    }

    [Fact]
    public async Task Whoever_comes_to_read_content_of_which_the_beginning_has_gone_asks_by_himself()
    {
        // The flight ends between the signal and the look: its content is complete, and a window.
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, MaxEntryBytes = 50_000 });
        var bodies = new Queue<FedBody>([new FedBody(), new FedBody()]);
        var (first, second) = (bodies.First(), bodies.Last());
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", bodies.Dequeue());
        var settings = bench.Policy.Settings;
        var leads = bench.CallAsync();
        var key = CacheKey.Of(CacheBench.Request(), settings, CacheKeyParts.Of(settings, bench.Cache.Secret))!.Value;
        var seat = bench.Cache.Flights.TryJoin(key.Value)!;
        for (var i = 0; i < 10; i++)
        {
            first.Feed(new string('x', 10_000));
        }

        first.End();
        Assert.Equal(100_000, (await leads.WaitAsync(Patience, Cancellation)).Content.Length);
        Assert.True(seat.Flight.Answer!.Content is { IsComplete: true, IsKept: false });

        var delivery = new AnswerDelivery(settings, bench.Cache);
        var late = CacheBench.Request();
        Assert.True(bench.Cache.Flights.TryAdd(seat.Flight));
        var fetched = delivery.FetchAsync(late, asked => new ValueTask(bench.Upstream(asked)), new Wanted(key, default, null, CacheResult.Miss));
        second.Feed("own");
        second.End();
        await fetched.AsTask().WaitAsync(Patience, Cancellation);
        Assert.Equal("own", (await CacheBench.ReadAsync(late)).Content);
    }

    [Fact]
    public async Task A_bug_further_in_ends_what_lasts_as_long_as_the_answer_and_frees_whoever_waits()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new CountedEnding();
        var attempts = 0;
        _bench.Upstream = async asked =>
        {
            asked.WhenAnswerEnds(ended);
            await gate.Task;
            if (Interlocked.Increment(ref attempts) == 1)
            {
                throw new InvalidOperationException("bug");
            }

            await CacheBench.Answer(asked, 200, "Cache-Control: max-age=60");
        };
        var leads = _bench.CallAsync();
        var follows = _bench.CallAsync();
        gate.SetResult();
        await Assert.ThrowsAsync<InvalidOperationException>(() => leads.WaitAsync(Patience, Cancellation));
        Assert.Equal("content", (await follows.WaitAsync(Patience, Cancellation)).Content);
        Assert.Equal(2, ended.Count);
    }

    [Fact]
    public async Task Whoever_joins_a_refresh_and_leaves_does_not_break_it_off()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=10, stale-while-revalidate=60");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Exchange? refresh = null;
        _bench.Upstream = async asked =>
        {
            refresh = asked;
            await gate.Task;
            await CacheBench.Answer(asked, 200, "Cache-Control: max-age=10", "second");
        };
        await _bench.CallAsync();
        var key = CacheKey.Of(CacheBench.Request(), _bench.Policy.Settings, CacheKeyParts.Of(_bench.Policy.Settings, _bench.Cache.Secret))!.Value.Value;
        _bench.Cache.Flights.TryJoin(key)!.Leave();
        await UntilAsync(() => refresh is not null);
        Assert.False(refresh!.Aborted.IsCancellationRequested);
        gate.SetResult();
        await UntilAsync(() => _bench.Cache.Flights.Count == 0);
        Assert.Equal("second", (await _bench.CallAsync()).Content);
    }

    [Fact]
    public async Task A_refresh_whose_content_breaks_is_a_failure_for_its_record_its_count_and_whoever_waits_for_its_end()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=10, stale-while-revalidate=60");
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        var body = new FedBody();
        Exchange? ended = null;
        var seen = new TaskCompletionSource<Failure?>();
        _bench.Cache.OnRefreshEnds = exchange => ended = exchange;
        _bench.Upstream = asked =>
        {
            asked.WhenAnswerEnds(new Ending(exchange => seen.TrySetResult(exchange.Failure)));
            return CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        };
        await _bench.CallAsync();
        body.Feed("first ");
        body.Break();
        await UntilAsync(() => ended is not null);

        Assert.Equal((Outcome.Failed, "response_truncated", CacheResult.Refresh), (ended!.Outcome, ended.Failure!.Code, ended.Cache));
        Assert.Equal("response_truncated", (await seen.Task.WaitAsync(Patience, Cancellation))?.Code);
        Assert.Equal(1, _bench.Cache.Counters.RefreshFailures);
    }

    [Fact]
    public async Task A_refresh_that_takes_too_long_is_broken_off_and_there_are_never_too_many()
    {
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=10, stale-while-revalidate=6000");
        for (var i = 0; i < RefreshPlaces.Max + 10; i++)
        {
            await _bench.CallAsync(path: "/" + i);
        }

        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        _bench.Asked.Clear();
        _bench.Upstream = async asked =>
        {
            var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = asked.Aborted.Register(gone.SetResult);
            await gone.Task;
            asked.Fail(new Failure(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "gone"));
        };
        for (var i = 0; i < RefreshPlaces.Max + 10; i++)
        {
            Assert.Equal(CacheResult.HitStale, (await _bench.CallAsync(path: "/" + i)).Cache);
        }

        await UntilAsync(() => _bench.Asked.Count == RefreshPlaces.Max);
        Assert.Equal(RefreshPlaces.Max, _bench.Cache.Refreshes.Taken);
        var records = new List<string>();
        _bench.Cache.OnRefreshEnds = ended =>
        {
            lock (records)
            {
                records.Add($"{ended.Cache} {ended.Outcome} {ended.Failure?.Source} {ended.Failure?.Code}");
            }
        };
        _bench.Time.Advance(TimeSpan.FromMinutes(1));
        await UntilAsync(() => _bench.Cache.Refreshes.Taken == 0 && records.Count == RefreshPlaces.Max);

        // No client left: the upstream took too long.
        Assert.All(records, record => Assert.Equal("Refresh Failed Upstream total_timeout", record));
        Assert.Equal((RefreshPlaces.Max, 0), (_bench.Asked.Count, _bench.Cache.Flights.Count));
        Assert.Empty(_bench.Bugs);
    }

    [Fact]
    public async Task The_upstream_is_never_far_ahead_of_the_fastest_reader()
    {
        var body = new FedBody();
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        var exchange = CacheBench.Request();
        await _bench.Policy.InvokeAsync(exchange, asked => new ValueTask(_bench.Upstream(asked)));
        for (var i = 0; i < 400; i++)
        {
            body.Feed(new string('x', 10_000));
        }

        body.End();
        await UntilAsync(() => _bench.Cache.Store.Bytes >= 1_000_000);
        await Task.Delay(50, Cancellation);
        Assert.InRange(_bench.Cache.Store.Bytes, 1_000_000, 1_100_000);
        Assert.Equal(4_000_000, (await CacheBench.ReadAsync(exchange).WaitAsync(Patience, Cancellation)).Content.Length);
        Assert.Equal(1, _bench.Cache.Store.Count);
    }

    [Fact]
    public async Task What_a_window_holds_is_counted_until_the_slowest_reader_has_it()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, MaxEntryBytes = 500_000 });
        var body = new FedBody();
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        var exchange = CacheBench.Request();
        await bench.Policy.InvokeAsync(exchange, asked => new ValueTask(bench.Upstream(asked)));
        for (var i = 0; i < 60; i++)
        {
            body.Feed(new string('x', 10_000));
        }

        await UntilAsync(() => bench.Cache.Flights.Count == 0);
        Assert.InRange(bench.Cache.Store.Bytes, 500_000, 600_000);
        body.End();
        Assert.Equal(600_000, (await CacheBench.ReadAsync(exchange).WaitAsync(Patience, Cancellation)).Content.Length);
        Assert.Equal(0, bench.Cache.Store.Bytes);
    }

    [Fact]
    public async Task Trailers_reach_whoever_reads_and_what_has_some_is_not_kept()
    {
        var body = new FedBody { After = new HeaderList() };
        body.After.Add("Checksum", "1");
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        var exchange = CacheBench.Request();
        await _bench.Policy.InvokeAsync(exchange, asked => new ValueTask(_bench.Upstream(asked)));
        body.Feed("all");
        body.End();
        var buffer = new byte[100];
        Assert.Equal(3, await exchange.ResponseBody.ReadAsync(buffer, Cancellation).AsTask().WaitAsync(Patience, Cancellation));
        Assert.Equal(0, await exchange.ResponseBody.ReadAsync(buffer, Cancellation).AsTask().WaitAsync(Patience, Cancellation));
        Assert.Equal("1", exchange.ResponseBody.Trailers!.Get("Checksum"));
        await exchange.ResponseBody.DisposeAsync();
        Assert.Equal((0, 0L), (_bench.Cache.Store.Count, _bench.Cache.Store.Bytes));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task In_a_storm_nobody_is_left_waiting_every_answer_is_whole_and_the_books_balance(int seed)
    {
        const long MaxBytes = 300_000;
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.None, MaxEntryBytes = 40_000 }) { Cache = { Store = { MaxBytes = MaxBytes } } };
        bench.Upstream = async asked =>
        {
            await Task.Yield();
            var path = asked.Target.Path;
            var number = int.Parse(path[1..], System.Globalization.CultureInfo.InvariantCulture);
            var body = new FedBody();
            for (var i = 0; i < number; i++)
            {
                body.Feed(new string((char)('a' + number), 3000));
            }

            body.End();
            await CacheBench.Answer(asked, 200, number % 5 == 0 ? "Cache-Control: no-store" : $"Cache-Control: max-age={number % 3}, stale-while-revalidate=2", body);
        };
        async Task CallManyAsync(int worker)
        {
            var random = new Random((seed * 100) + worker);
            for (var i = 0; i < 200; i++)
            {
                var number = random.Next(1, 20);
                using var leaving = new CancellationTokenSource();
                var exchange = CacheBench.Request(path: "/" + number);
                exchange.Aborted = leaving.Token;
                if (random.Next(8) == 0)
                {
                    await leaving.CancelAsync();
                }

                try
                {
                    var answer = await bench.RunAsync(exchange).WaitAsync(Patience, Cancellation);
                    Assert.True(exchange.Failure?.Source == FailureSource.Client || answer.Content == new string((char)('a' + number), number * 3000), $"{number}: {answer.Content.Length}");
                }
                catch (Exception left) when (leaving.IsCancellationRequested && left is OperationCanceledException or MessageBodyException)
                {
                    // This one has left.
                    continue;
                }

                if (random.Next(10) == 0)
                {
                    bench.Cache.PurgeUrl("api.test/" + number, isSoft: random.Next(2) == 0);
                    bench.Time.Advance(TimeSpan.FromMilliseconds(500));
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(() => CallManyAsync(worker), Cancellation)));
        await UntilAsync(() => bench.Cache.Flights.Count == 0 && bench.Cache.Refreshes.Taken == 0);
        Assert.Empty(bench.Bugs);
        Assert.InRange(bench.Cache.Store.Bytes, 0, MaxBytes);

        // With everything let go, and what was broken off ended, there is room for exactly as much as there is.
        var isEmpty = false;
        await UntilAsync(() => isEmpty = isEmpty || bench.Cache.Store.TryReserve(0, MaxBytes));
        Assert.Equal((MaxBytes, 0), (bench.Cache.Store.Bytes, bench.Cache.Store.Count));
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 12_000 && !condition(); i++)
        {
            await Task.Delay(5, Cancellation);
        }

        Assert.True(condition());
    }

    private sealed class CountedEnding : IAnswerEnding
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public void AnswerEnded(Exchange exchange) => Interlocked.Increment(ref _count);
    }

    /// <summary>Content that comes when the test says so.</summary>
    internal sealed class FedBody : MessageBody
    {
        private readonly Queue<byte[]?> _pieces = new();
        private readonly SemaphoreSlim _more = new(0);
        private byte[] _rest = [];

        public CancellationToken Token { get; set; }

        public HeaderList? After { get; init; }

        public override HeaderList? Trailers => After;

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

    private sealed class Ending(Action<Exchange> ended) : IAnswerEnding
    {
        public void AnswerEnded(Exchange exchange) => ended(exchange);
    }
}

internal static class CompletedTask
{
    /// <summary>Of a task that is known to have ended.</summary>
    public static T Result<T>(this Task<T> task) => task.GetAwaiter().GetResult();
}
