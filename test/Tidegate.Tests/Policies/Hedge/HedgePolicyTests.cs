using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Hedge;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies.Hedge;

public sealed class HedgePolicyTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Failure Down = new(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "down");
    private static readonly Failure Left = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "left");

    private readonly FakeTimeProvider _time = new();
    private readonly HedgeRoutes _routes;
    private readonly HedgeRoute _route;
    private readonly List<Request> _requests = [];

    public HedgePolicyTests()
    {
        _routes = new HedgeRoutes(_time);
        _route = _routes.Of("api", "");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static HedgeSettings Settings { get; } = new() { After = TimeSpan.FromMilliseconds(100), Budget = 1 };

    [Fact]
    public async Task An_answer_in_time_is_the_only_one_asked_for()
    {
        var exchange = TestExchange.Of(Direction.Egress, ("Accept", "*/*"));
        var running = Start(exchange);
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);

        Assert.Equal((200, "first", 1), (exchange.ResponseStatus, await ReadAsync(exchange.ResponseBody), exchange.Attempts));
        Assert.Equal(["Accept: */*"], TestExchange.Lines(_requests[0].Exchange.RequestHeaders));
        Assert.Equal(["Server: test"], TestExchange.Lines(exchange.ResponseHeaders));
        Assert.Single(_requests);
        Assert.Empty(exchange.Retries);
    }

    [Fact]
    public async Task A_hedge_that_answers_first_wins_and_the_other_is_broken_off_and_never_seen()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        _requests[1].Answer(200, "second");
        await running.WaitAsync(Patience, Cancellation);

        Assert.True(_requests[0].Exchange.Aborted.IsCancellationRequested);
        var late = _requests[0].Answer(200, "first");
        await late.Disposed.WaitAsync(Patience, Cancellation);
        Assert.Equal("second", await ReadAsync(exchange.ResponseBody));
        Assert.Equal(2, exchange.Attempts);
        Assert.Equal(("hedge", "won", TimeSpan.FromMilliseconds(100), "http://one"), (exchange.Retries[0].Cause, exchange.Retries[0].Result, exchange.Retries[0].Pause, exchange.Retries[0].Destination));
        Assert.Equal("http://two", exchange.Destination);
        Assert.Equal(1, _route.Of(HedgeResult.Won));
    }

    [Fact]
    public async Task A_hedge_that_is_slower_loses_and_is_broken_off()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);

        Assert.True(_requests[1].Exchange.Aborted.IsCancellationRequested);
        _requests[1].Fail(Left);
        Assert.Equal("first", await ReadAsync(exchange.ResponseBody));
        Assert.Equal(("lost", "http://two"), (exchange.Retries[0].Result, exchange.Retries[0].Destination));
        await _requests[1].Ended.WaitAsync(Patience, Cancellation);
    }

    [Theory]
    [InlineData(503, "second", "won")]
    [InlineData(429, "second", "won")]
    [InlineData(404, "first", "lost")]
    [InlineData(500, "first", "lost")]
    public async Task A_head_that_another_would_improve_on_waits_for_the_other(int status, string expected, string result)
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        var first = _requests[0].Answer(status, "first");
        _requests[1].Answer(200, "second");
        await running.WaitAsync(Patience, Cancellation);

        Assert.Equal((expected, result), (await ReadAsync(exchange.ResponseBody), exchange.Retries[0].Result));
        Assert.Equal(expected == "second", first.Disposed.IsCompleted);
    }

    [Fact]
    public async Task When_none_is_good_an_answer_goes_before_a_failure_and_the_first_before_the_second()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        _requests[0].Fail(Down);
        _requests[1].Answer(503, "busy");
        await running.WaitAsync(Patience, Cancellation);
        Assert.Equal((503, "busy"), (exchange.ResponseStatus, await ReadAsync(exchange.ResponseBody)));

        var other = TestExchange.Of(Direction.Egress);
        running = Start(other);
        await HedgedAsync();
        _requests[0].Answer(503, "one");
        _requests[1].Answer(503, "two");
        await running.WaitAsync(Patience, Cancellation);
        Assert.Equal(("one", "failed"), (await ReadAsync(other.ResponseBody), other.Retries[0].Result));
    }

    [Fact]
    public async Task A_hedge_that_is_refused_for_its_key_does_not_beat_the_first()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        _requests[1].Exchange.IsKeyRefused = true;
        _requests[1].Answer(401, "second");
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);

        Assert.Equal(("first", "failed"), (await ReadAsync(exchange.ResponseBody), exchange.Retries[0].Result));
    }

    [Fact]
    public async Task An_answer_that_is_thrown_away_and_breaks_meanwhile_is_nobodys_failure()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        _requests[0].Answer(429, "", new BreakingBody());
        await running.WaitAsync(Patience, Cancellation);
        await AnswerDiscard.DiscardAsync(exchange);
        exchange.EndAnswer(downTo: 0);

        Assert.Null(await _requests[0].Ended.WaitAsync(Patience, Cancellation));
    }

    [Fact]
    public async Task What_waits_for_the_end_of_a_loser_sees_it_even_if_its_content_cannot_be_disposed()
    {
        Exception? told = null;
        _routes.OnBug = bug => told = bug;
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        _requests[0].Answer(503, "", new BreakingBody { BreaksOnDispose = true });
        _requests[1].Answer(200, "second");
        await running.WaitAsync(Patience, Cancellation);

        Assert.Null(await _requests[0].Ended.WaitAsync(Patience, Cancellation));
        Assert.Equal("broken", told!.Message);
    }

    [Fact]
    public async Task Content_that_is_disposed_once_more_is_not_the_next_calls()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);
        var (used, content) = (_requests[0].Exchange, exchange.ResponseBody);
        await content.DisposeAsync();
        exchange.EndAnswer(downTo: 0);

        var next = TestExchange.Of(Direction.Egress);
        running = Start(next);
        Assert.Same(used, _requests[0].Exchange);
        var body = _requests[0].Answer(200, "second");
        await running.WaitAsync(Patience, Cancellation);
        await content.DisposeAsync();
        Assert.False(body.Disposed.IsCompleted);
        Assert.Equal("second", await ReadAsync(next.ResponseBody));
    }

    [Fact]
    public async Task Further_attempts_of_a_call_pay_for_no_hedge()
    {
        for (var i = 0; i < 5; i++)
        {
            var exchange = TestExchange.Of(Direction.Egress);
            exchange.Attempts = 1;
            var running = Start(exchange);
            _requests[0].Answer(200, "first");
            await running.WaitAsync(Patience, Cancellation);
        }

        Assert.True(_route.Budget.TryWithdraw());
        Assert.False(_route.Budget.TryWithdraw());
    }

    [Fact]
    public async Task A_failure_before_the_time_is_for_retries()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        _requests[0].Fail(Down);
        await running.WaitAsync(Patience, Cancellation);

        Assert.Equal((Outcome.Failed, Down), (exchange.Outcome, exchange.Failure));
        Assert.Single(_requests);
    }

    [Fact]
    public async Task A_limit_that_has_no_room_for_the_hedge_refuses_it_and_the_first_goes_on()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        Assert.Equal((false, true), (_requests[0].Exchange.MustNotQueue, _requests[1].Exchange.MustNotQueue));
        _requests[1].Refuse(new Rejection("limits", "rate_limited", 429, "full"));
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);

        Assert.Equal(("first", "refused"), (await ReadAsync(exchange.ResponseBody), exchange.Retries[0].Result));
        Assert.Equal(1, _route.Of(HedgeResult.Refused));
    }

    [Fact]
    public async Task While_the_first_waits_in_a_queue_of_ours_no_other_is_sent()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange, isSent: false);
        _time.Advance(TimeSpan.FromSeconds(5));
        await Task.Delay(20, Cancellation);
        Assert.Single(_requests);

        _requests[0].Exchange.Timings.Forwarded = _time.GetTimestamp();
        await HedgedAsync();
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);
    }

    [Fact]
    public async Task Hedges_are_a_share_of_calls_and_what_is_left_out_is_said()
    {
        // One to begin with, then one for every twentieth call.
        const int Calls = 60;
        var settings = Settings with { Budget = 0.05 };
        var hedged = 0;
        for (var i = 0; i < Calls; i++)
        {
            var exchange = TestExchange.Of(Direction.Egress);
            var running = Start(exchange, settings: settings);
            await AdvanceUntilAsync(() => _requests.Count == 2 || exchange.Retries.Count > 0);
            hedged += _requests.Count - 1;
            Assert.True(_requests.Count == 2 || exchange.Retries[0] is { Cause: "hedge", Stopped: "budget" });
            _requests[0].Answer(200, "first");
            await running.WaitAsync(Patience, Cancellation);
            await exchange.ResponseBody.DisposeAsync();
            exchange.EndAnswer(0);
        }

        Assert.Equal(4, hedged);
        Assert.Equal(Calls - 4, _route.Of(HedgeResult.Budget));
    }

    [Fact]
    public async Task A_client_that_leaves_breaks_off_both()
    {
        using var leaving = new CancellationTokenSource();
        var exchange = TestExchange.Of(Direction.Egress);
        exchange.Aborted = leaving.Token;
        var running = Start(exchange);
        await HedgedAsync();
        await leaving.CancelAsync();

        Assert.All(_requests, request => Assert.True(request.Exchange.Aborted.IsCancellationRequested));
        _requests[0].Fail(Left);
        _requests[1].Fail(Left);
        await running.WaitAsync(Patience, Cancellation);
        Assert.Equal((Outcome.Failed, Left), (exchange.Outcome, exchange.Failure));
        Assert.All(_requests, request => Assert.True(request.Ended.IsCompleted));
    }

    [Fact]
    public async Task What_waits_for_the_answers_end_learns_how_the_clients_exchange_ended()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);
        Assert.False(_requests[0].Ended.IsCompleted);

        exchange.Fail(Left);
        await exchange.ResponseBody.DisposeAsync();
        exchange.EndAnswer(downTo: 0);
        Assert.Equal(Left, await _requests[0].Ended);
    }

    [Fact]
    public async Task What_the_winner_could_not_read_of_its_cost_stands_on_the_callers_record()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        _requests[0].Exchange.UnreadCosts = UnreadCosts.Request;
        _requests[0].Unread = UnreadCosts.Answer;
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);
        Assert.Equal(UnreadCosts.Request, exchange.UnreadCosts);

        await exchange.ResponseBody.DisposeAsync();
        exchange.EndAnswer(downTo: 0);
        Assert.Equal(UnreadCosts.Request | UnreadCosts.Answer, exchange.UnreadCosts);
    }

    [Fact]
    public async Task What_would_have_been_done_about_a_request_that_was_over_before_another_won_stands_on_the_callers_record()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        exchange.Observe("unlisted_host", "unlisted_host");
        var running = Start(exchange);
        await HedgedAsync();
        _requests[0].Exchange.Observe("ejection", "destination_ejected");
        _requests[0].Exchange.Observe("credential", "key_set_aside");
        _requests[0].Answer(503, "first");
        _requests[1].Exchange.Observe("ejection", "destination_passed_over");
        _requests[1].Answer(200, "second");
        await running.WaitAsync(Patience, Cancellation);

        Assert.Equal(["unlisted_host", "destination_ejected", "key_set_aside", "destination_passed_over"], exchange.Observed.Select(decision => decision.Code));
    }

    [Fact]
    public async Task What_is_noted_of_a_request_that_is_broken_off_stands_on_no_record()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        _requests[0].Exchange.Observe("ejection", "destination_passed_over");
        _requests[1].Answer(200, "second");
        await running.WaitAsync(Patience, Cancellation);
        _requests[0].Exchange.Observe("ejection", "destination_ejected");
        _requests[0].Fail(Left);

        Assert.Empty(exchange.Observed);
    }

    [Theory]
    [InlineData("POST", false)]
    [InlineData("PUT", false)]
    [InlineData("DELETE", false)]
    [InlineData("GET", true)]
    [InlineData("HEAD", true)]
    [InlineData("OPTIONS", true)]
    public async Task Only_what_reads_is_sent_twice(string method, bool isHedged)
    {
        var exchange = TestExchange.Of(Direction.Egress);
        exchange.Method = method;
        var running = Start(exchange);
        Assert.Equal(!isHedged, ReferenceEquals(exchange, _requests[0].Exchange));
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);
    }

    [Fact]
    public async Task The_time_is_measured_before_it_is_used()
    {
        var settings = new HedgeSettings { Budget = 1 };
        for (var i = 0; i < 20; i++)
        {
            var call = TestExchange.Of(Direction.Egress);
            var measured = Start(call, settings: settings);
            Assert.Same(call, _requests[0].Exchange);
            _time.Advance(TimeSpan.FromMilliseconds(40));
            _requests[0].Answer(200, "x");
            await measured.WaitAsync(Patience, Cancellation);
        }

        Assert.InRange(_route.After(settings)!.Value.TotalMilliseconds, 40, 43);
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange, settings: settings);
        await HedgedAsync();
        _requests[1].Answer(200, "second");
        await running.WaitAsync(Patience, Cancellation);
        Assert.Equal("second", await ReadAsync(exchange.ResponseBody));
    }

    [Fact]
    public async Task In_observe_mode_nothing_is_sent_twice_and_the_record_says_what_would_have_been()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange, settings: Settings with { Mode = PolicyMode.Observe });
        _time.Advance(TimeSpan.FromMilliseconds(150));
        _requests[0].Answer(200, "first");
        await running.WaitAsync(Patience, Cancellation);

        Assert.Single(_requests);
        Assert.Equal(("hedge", "observe"), (exchange.Retries[0].Cause, exchange.Retries[0].Stopped));
        Assert.Equal(1, _route.Of(HedgeResult.Observe));
    }

    [Fact]
    public async Task A_fault_of_ours_in_a_request_that_lost_is_told()
    {
        Exception? told = null;
        _routes.OnBug = bug => told = bug;
        var exchange = TestExchange.Of(Direction.Egress);
        var running = Start(exchange);
        await HedgedAsync();
        _requests[1].Answer(200, "second");
        await running.WaitAsync(Patience, Cancellation);
        _requests[0].Throw(new InvalidOperationException("bug"));

        await AdvanceUntilAsync(() => told is not null);
        Assert.Equal("bug", told!.Message);
    }

    private Task Start(Exchange exchange, bool isSent = true, HedgeSettings? settings = null)
    {
        lock (_requests)
        {
            _requests.Clear();
        }

        return new HedgePolicy(settings ?? Settings, _routes, _route, _time).InvokeAsync(exchange, asked =>
        {
            lock (_requests)
            {
                var request = new Request(asked, _time);
                asked.Attempts++;
                asked.Destination = _requests.Count == 0 ? "http://one" : "http://two";
                asked.Timings.Forwarded = isSent || _requests.Count > 0 ? _time.GetTimestamp() : 0;
                _requests.Add(request);
                return new ValueTask(request.Answered);
            }
        }).AsTask();
    }

    private Task HedgedAsync() => AdvanceUntilAsync(() => _requests.Count == 2);

    private async Task AdvanceUntilAsync(Func<bool> isSo)
    {
        _time.Advance(TimeSpan.FromMilliseconds(101));
        for (var i = 0; i < 12_000; i++)
        {
            lock (_requests)
            {
                if (isSo())
                {
                    return;
                }
            }

            await Task.Delay(5, Cancellation);
        }

        Assert.Fail("It did not come to that.");
    }

    private static async Task<string> ReadAsync(MessageBody body)
    {
        var text = new StringBuilder();
        var buffer = new byte[16];
        while (await body.ReadAsync(buffer, Cancellation) is > 0 and var read)
        {
            text.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        return text.ToString();
    }

    /// <summary>One request as the upstream sees it, answered when the test says so.</summary>
    private sealed class Request : IAnswerEnding
    {
        // What follows an answer has happened before the test goes on: which came first is certain.
        private readonly TaskCompletionSource _answered = new();
        private readonly TaskCompletionSource<Failure?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly FakeTimeProvider _time;

        public Request(Exchange exchange, FakeTimeProvider time)
        {
            _time = time;
            Exchange = exchange;
            exchange.WhenAnswerEnds(this);
        }

        public Exchange Exchange { get; }

        public Task Answered => _answered.Task;

        public Task<Failure?> Ended => _ended.Task;

        public TextBody Answer(int status, string text, MessageBody? content = null)
        {
            var body = new TextBody(text);
            Exchange.ResponseHeaders.Add("Server", "test");
            Exchange.ResponseBody = content ?? body;
            Exchange.Timings.ResponseStarted = _time.GetTimestamp();
            Exchange.Answer(Outcome.Forwarded, status);
            _answered.SetResult();
            return body;
        }

        public void Fail(Failure failure)
        {
            Exchange.Fail(failure);
            _answered.SetResult();
        }

        public void Refuse(Rejection rejection)
        {
            Exchange.Reject(rejection);
            _answered.SetResult();
        }

        public void Throw(Exception bug) => _answered.SetException(bug);

        /// <summary>What shows to be unknown when the answer is over.</summary>
        public UnreadCosts Unread { get; set; }

        void IAnswerEnding.AnswerEnded(Exchange exchange)
        {
            exchange.UnreadCosts |= Unread;
            _ended.SetResult(exchange.Failure);
        }
    }

    private sealed class BreakingBody : MessageBody
    {
        public bool BreaksOnDispose { get; init; }

        public override long? Length => null;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            throw new MessageBodyException(new Failure(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "slow"));

        public override ValueTask DisposeAsync() => BreaksOnDispose ? throw new InvalidOperationException("broken") : default;
    }

    private sealed class TextBody(string text) : MessageBody
    {
        private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly byte[] _bytes = Encoding.ASCII.GetBytes(text);
        private int _position;

        public Task Disposed => _disposed.Task;

        public override long? Length => _bytes.Length;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var count = Math.Min(buffer.Length, _bytes.Length - _position);
            _bytes.AsSpan(_position, count).CopyTo(buffer.Span);
            _position += count;
            return new ValueTask<int>(count);
        }

        public override ValueTask DisposeAsync()
        {
            _disposed.TrySetResult();
            return default;
        }
    }
}
