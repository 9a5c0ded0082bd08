using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Retry;
using Xunit;

namespace Tidegate.Tests.Policies.Retry;

public sealed class RetryPolicyTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Failure ConnectFailed = new(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "down");
    private static readonly Failure Reset = new(FailureSource.Upstream, FailureKind.RequestFailed, Retryable: false, "reset");

    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.Zero };
    private readonly RetryBudget _budget;
    private readonly List<string> _sent = [];

    public RetryPolicyTests() => _budget = new RetryBudget(_time);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", true)]
    [InlineData("HEAD", true)]
    [InlineData("PUT", true)]
    [InlineData("DELETE", true)]
    [InlineData("POST", false)]
    [InlineData("PATCH", false)]
    [InlineData("BREW", false)]
    public async Task What_may_have_been_done_is_done_again_only_where_that_is_harmless(string method, bool isRepeated)
    {
        var exchange = await RunAsync(Call(method), new RetrySettings(), Breaks(Reset), Answers(200));

        Assert.Equal(isRepeated ? 2 : 1, _sent.Count);
        Assert.Equal(isRepeated ? Outcome.Forwarded : Outcome.Failed, exchange.Outcome);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task What_was_certainly_not_done_is_always_attempted_again(string method)
    {
        var exchange = await RunAsync(Call(method), new RetrySettings(), Breaks(ConnectFailed), Answers(429), Answers(200));

        Assert.Equal((3, 200), (_sent.Count, exchange.ResponseStatus));
        Assert.Equal(["connect_failed", "429"], exchange.Retries.Select(retry => retry.Cause));
    }

    [Theory]
    [InlineData(403, ProviderSignal.Throttle, "403")]
    [InlineData(200, ProviderSignal.Throttle, "throttled")]
    [InlineData(503, ProviderSignal.Concurrency, "503")]
    public async Task A_throttle_is_one_in_whatever_status_the_provider_says_it(int status, ProviderSignal signal, string cause)
    {
        var exchange = await RunAsync(
            Call("POST"),
            new RetrySettings(),
            (answered, _) =>
            {
                answered.Signal = signal;
                answered.Answer(Outcome.Forwarded, status);
                return Task.CompletedTask;
            },
            Answers(201));

        Assert.Equal((2, 201), (_sent.Count, exchange.ResponseStatus));
        Assert.Equal(cause, Assert.Single(exchange.Retries).Cause);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(409)]
    [InlineData(422)]
    [InlineData(501)]
    public async Task An_answer_that_another_attempt_would_not_change_is_passed_on(int status)
    {
        var exchange = await RunAsync(Call("GET"), new RetrySettings(), Answers(status), Answers(200));

        Assert.Equal((1, status), (_sent.Count, exchange.ResponseStatus));
        Assert.Empty(exchange.Retries);
    }

    [Theory]
    [InlineData("GET", ProviderSignal.None, 2, 200)]
    [InlineData("PUT", ProviderSignal.None, 2, 200)]
    [InlineData("POST", ProviderSignal.None, 1, 500)]
    [InlineData("GET", ProviderSignal.Permanent, 1, 500)]
    public async Task A_500_is_asked_about_once_more_where_that_is_harmless_and_may_help(string method, ProviderSignal signal, int sent, int status)
    {
        var exchange = await RunAsync(Call(method), new RetrySettings(), Step(call => call.Signal = signal, Answers(500)), Answers(200));

        Assert.Equal((sent, status), (_sent.Count, exchange.ResponseStatus));
        Assert.Equal(sent == 2 ? ["500"] : [], exchange.Retries.Select(retry => retry.Cause));
    }

    [Fact]
    public async Task A_500_that_stays_is_the_clients_after_the_second_and_costs_no_third()
    {
        var exchange = await RunAsync(Call("GET"), new RetrySettings { Attempts = 5 }, Answers(500), Answers(500), Answers(200));
        Assert.Equal((2, 500), (_sent.Count, exchange.ResponseStatus));

        _sent.Clear();
        await RunAsync(Call("GET"), new RetrySettings { Attempts = 5 }, Answers(503), Answers(500), Answers(503), Answers(500), Answers(200));
        Assert.Equal(4, _sent.Count);
    }

    [Fact]
    public async Task Where_statuses_are_written_a_500_is_what_they_say()
    {
        var exchange = await RunAsync(Call("GET"), new RetrySettings { Mends500 = false }, Answers(500), Answers(200));
        Assert.Equal((1, 500), (_sent.Count, exchange.ResponseStatus));
    }

    [Fact]
    public async Task The_last_answer_is_the_clients_when_no_attempt_does()
    {
        var exchange = await RunAsync(Call("GET"), new RetrySettings { Attempts = 3 }, Answers(503, "one"), Answers(502, "two"), Answers(503, "three"), Answers(200));

        Assert.Equal((3, 503), (_sent.Count, exchange.ResponseStatus));
        Assert.Equal("three", await ReadAsync(exchange.ResponseBody));
        Assert.Equal(new RetryNote("503", TimeSpan.Zero, "attempts"), exchange.Retries[^1] with { Began = default, Took = default });
    }

    [Fact]
    public async Task Content_is_sent_again_whole_however_far_the_first_attempt_got()
    {
        var content = new string('x', 5_000) + "end";
        foreach (var readByFirst in (int[])[0, 1, 4_999, int.MaxValue])
        {
            _sent.Clear();
            var exchange = Call("PUT", content);
            await RunAsync(exchange, new RetrySettings(), Breaks(Reset, readByFirst), Answers(200));

            Assert.Equal(content, _sent[1]);
            Assert.Equal(content.Length, exchange.RequestBodyBytes);
        }
    }

    [Fact]
    public async Task Content_that_memory_has_no_room_for_is_sent_again_from_a_file_that_has_no_name()
    {
        var directory = Directory.CreateTempSubdirectory("tidegate-spill");
        try
        {
            var space = new SpillSpace();
            var settings = new RetrySettings { MaxBodyBytes = 1_500, SpillBytes = 100_000, Spill = space, SpillDirectory = directory.FullName };
            var content = string.Concat(Enumerable.Range(0, 9_000).Select(i => (i % 10).ToString(System.Globalization.CultureInfo.InvariantCulture)));
            foreach (var readByFirst in (int[])[1_000, 1_700, 4_999, int.MaxValue])
            {
                _sent.Clear();
                var exchange = Call("PUT", content, announced: readByFirst != 4_999);
                await RunAsync(exchange, settings, Breaks(Reset, readByFirst), Breaks(Reset, 6_000), Answers(200));
                Assert.Equal(content, _sent[2]);
                Assert.True(space.Bytes > 0);
                Assert.Empty(directory.GetFiles("*", SearchOption.AllDirectories));
                exchange.EndAnswer(0);
                Assert.Equal((0, 0), (space.Bytes, space.Failures));
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Content_that_no_file_can_be_made_for_is_attempted_once_and_counted()
    {
        var file = Path.GetTempFileName();
        try
        {
            var space = new SpillSpace();
            var settings = new RetrySettings { MaxBodyBytes = 1_500, SpillBytes = 100_000, Spill = space, SpillDirectory = file };
            var exchange = await RunAsync(Call("PUT", new string('x', 9_000)), settings, Breaks(Reset), Answers(200));

            Assert.Equal("content", Assert.Single(exchange.Retries).Stopped);
            exchange.EndAnswer(0);
            Assert.Equal((0, 1), (space.Bytes, space.Failures));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Content_above_the_bound_is_attempted_once_unless_nothing_was_read()
    {
        var settings = new RetrySettings { MaxBodyBytes = 1_000 };
        var large = await RunAsync(Call("PUT", new string('x', 2_000), announced: false), settings, Breaks(Reset), Answers(200));
        Assert.Equal("content", Assert.Single(large.Retries).Stopped);
        Assert.Single(_sent);

        var untouched = await RunAsync(Call("POST", new string('x', 2_000)), settings, Breaks(ConnectFailed, readBytes: 0), Answers(200));
        Assert.Equal((200, 2_000L), (untouched.ResponseStatus, untouched.RequestBodyBytes));
    }

    [Fact]
    public async Task An_idempotency_key_makes_any_method_repeatable_and_stays_the_same()
    {
        var settings = new RetrySettings { IdempotencyHeader = "Idempotency-Key", InjectsIdempotencyKey = true };
        var keys = new List<string?>();
        var exchange = Call("POST", "pay");
        await RunAsync(exchange, settings, Step(call => keys.Add(call.RequestHeaders.Get("Idempotency-Key")), Breaks(Reset)), Step(call => keys.Add(call.RequestHeaders.Get("Idempotency-Key")), Answers(200)));

        Assert.Equal(2, keys.Count);
        Assert.Equal(32, keys[0]!.Length);
        Assert.Equal(keys[0], keys[1]);

        var own = Call("POST", "pay");
        own.RequestHeaders.Add("Idempotency-Key", "mine");
        await RunAsync(own, settings with { InjectsIdempotencyKey = false }, Breaks(Reset), Step(call => keys.Add(call.RequestHeaders.Get("Idempotency-Key")), Answers(200)));
        Assert.Equal((200, "mine"), (own.ResponseStatus, keys[2]));
    }

    [Fact]
    public async Task A_call_that_was_refused_is_attempted_again_whatever_statuses_are_written()
    {
        var exchange = await RunAsync(Call("POST", "pay"), new RetrySettings { Statuses = System.Collections.Frozen.FrozenSet.Create(500) }, Answers(429), Answers(200));
        Assert.Equal((2, 200), (_sent.Count, exchange.ResponseStatus));
    }

    [Fact]
    public async Task In_observe_mode_a_call_is_sent_as_it_came()
    {
        var settings = new RetrySettings { IdempotencyHeader = "Idempotency-Key", InjectsIdempotencyKey = true, Mode = PolicyMode.Observe };
        var exchange = await RunAsync(Call("POST", "pay"), settings, Breaks(Reset), Answers(200));

        Assert.Null(exchange.RequestHeaders.Get("Idempotency-Key"));
        Assert.Single(_sent);
    }

    [Fact]
    public async Task A_retry_after_is_never_undercut()
    {
        var exchange = Call("GET");
        var running = RunAsync(exchange, new RetrySettings { Base = TimeSpan.FromMilliseconds(10) }, Answers(503, retryAfter: "5"), Answers(200));
        await Task.Delay(20, Cancellation);

        _time.Advance(TimeSpan.FromSeconds(4.999));
        await Task.Delay(20, Cancellation);
        Assert.Single(_sent);
        _time.Advance(TimeSpan.FromMilliseconds(20));
        await running.WaitAsync(Patience, Cancellation);
        Assert.Equal(2, _sent.Count);
    }

    [Fact]
    public async Task A_retry_after_beyond_the_longest_pause_is_passed_on_to_the_caller()
    {
        var exchange = await RunAsync(Call("GET"), new RetrySettings { Max = TimeSpan.FromSeconds(10) }, Answers(429, retryAfter: "60"), Answers(200));

        Assert.Equal((1, 429), (_sent.Count, exchange.ResponseStatus));
        Assert.Equal("60", exchange.ResponseHeaders.Get(KnownHeader.RetryAfter));
        Assert.Equal("deadline", Assert.Single(exchange.Retries).Stopped);
    }

    [Fact]
    public async Task Nothing_is_attempted_that_could_not_be_over_in_time()
    {
        var exchange = Call("GET");
        exchange.Timings.Received = _time.GetTimestamp();
        var policy = new RetryPolicy(new RetrySettings(), _budget, new Backoff(() => 0.5), TimeSpan.FromSeconds(3), _time);
        await policy.InvokeAsync(exchange, Script(Answers(503, retryAfter: "4"), Answers(200)));

        Assert.Equal("deadline", Assert.Single(exchange.Retries).Stopped);
    }

    [Fact]
    public async Task A_client_that_leaves_in_a_pause_ends_it()
    {
        using var leaving = new CancellationTokenSource();
        var exchange = Call("GET");
        exchange.Aborted = leaving.Token;
        var running = RunAsync(exchange, new RetrySettings(), Answers(503, retryAfter: "9"), Answers(200));
        await Task.Delay(20, Cancellation);
        await leaving.CancelAsync();
        await running.WaitAsync(Patience, Cancellation);

        Assert.Equal("client_aborted", exchange.Failure!.Code);
        Assert.Single(_sent);
    }

    [Fact]
    public async Task An_outage_gets_hardly_more_traffic_than_its_callers_send()
    {
        const int Calls = 2_000;
        for (var i = 0; i < Calls; i++)
        {
            await RunAsync(Call("GET"), new RetrySettings { Attempts = 5, Base = TimeSpan.FromTicks(1) }, Answers(503), Answers(503), Answers(503), Answers(503), Answers(503));
        }

        Assert.InRange(_sent.Count, Calls, Calls * 1.1);
    }

    [Fact]
    public async Task What_was_certainly_not_sent_goes_to_a_destination_that_has_not_had_it_although_no_retry_is_left()
    {
        while (_budget.TryWithdraw())
        {
        }

        var exchange = await RunAsync(Call("POST"), new RetrySettings(), Step(call => call.HasOtherDestination = true, Breaks(ConnectFailed)), Answers(200));
        Assert.Equal((200, 2), (exchange.ResponseStatus, _sent.Count));

        var sent = await RunAsync(Call("GET"), new RetrySettings(), Step(call => call.HasOtherDestination = true, Breaks(Reset)), Answers(200));
        Assert.Equal("budget", Assert.Single(sent.Retries).Stopped);
    }

    [Fact]
    public async Task A_part_that_fails_is_mended_while_the_rest_succeeds()
    {
        const int Calls = 2_000;
        var failed = 0;
        for (var i = 0; i < Calls; i++)
        {
            var exchange = await RunAsync(Call("GET"), new RetrySettings { Base = TimeSpan.FromTicks(1) }, i % 8 == 0 ? Answers(503) : Answers(200), Answers(200));
            failed += exchange.ResponseStatus == 200 ? 0 : 1;
        }

        Assert.Equal(0, failed);
    }

    [Fact]
    public async Task What_waits_for_an_answers_end_learns_of_each_attempts_end()
    {
        var endings = new List<int>();
        var exchange = Call("GET");
        exchange.WhenAnswerEnds(new Ending(() => endings.Add(0)));
        await RunAsync(
            exchange,
            new RetrySettings(),
            Step(call => call.WhenAnswerEnds(new Ending(() => endings.Add(1))), Answers(503)),
            Step(call => call.WhenAnswerEnds(new Ending(() => endings.Add(2))), Answers(200)));

        Assert.Equal([1], endings);
        exchange.EndAnswer(downTo: 0);
        Assert.Equal([1, 2, 0], endings);
    }

    [Fact]
    public async Task Another_destination_that_has_not_failed_is_asked_at_once_and_the_record_tells_them_apart()
    {
        var exchange = await RunAsync(
            Call("GET"),
            new RetrySettings { Base = TimeSpan.FromHours(1), Max = TimeSpan.FromHours(1) },
            Step(call => (call.Region, call.HasOtherDestination) = ("eu", true), Answers(503, retryAfter: "3000")),
            Step(call => call.Region = "us", Answers(200)));

        Assert.Equal((200, "us"), (exchange.ResponseStatus, exchange.Region));
        Assert.Equal(("503", TimeSpan.Zero, "eu"), (exchange.Retries[0].Cause, exchange.Retries[0].Pause, exchange.Retries[0].Region));
    }

    [Theory]
    [InlineData(401, ProviderSignal.None)]
    [InlineData(403, ProviderSignal.Billing)]
    [InlineData(429, ProviderSignal.Quota)]
    public async Task What_was_refused_for_its_key_goes_on_with_another_at_once_whatever_the_method(int status, ProviderSignal signal)
    {
        var exchange = await RunAsync(
            Call("POST", "pay"),
            new RetrySettings { Base = TimeSpan.FromHours(1), Max = TimeSpan.FromHours(1) },
            async (call, text) =>
            {
                await Answers(status, retryAfter: "3000")(call, text);
                (call.ProviderKey, call.HasOtherKey, call.Signal) = (new ProviderKey("first", 1), true, signal);
            },
            Answers(200));

        Assert.Equal((2, 200), (_sent.Count, exchange.ResponseStatus));
        Assert.Equal((TimeSpan.Zero, "first"), (exchange.Retries[0].Pause, exchange.Retries[0].Credential));
    }

    [Fact]
    public async Task The_record_says_when_each_attempt_began_and_how_long_it_took()
    {
        var exchange = Call("GET");
        exchange.Timings.Received = _time.GetTimestamp();
        _time.Advance(TimeSpan.FromMilliseconds(5));
        Func<Exchange, string, Task> Slow(int milliseconds, int status) => Step(_ => _time.Advance(TimeSpan.FromMilliseconds(milliseconds)), Answers(status));
        await RunAsync(exchange, new RetrySettings(), Slow(30, 503), Slow(20, 502), Answers(200));

        Assert.Equal([(5.0, 30.0), (35.0, 20.0)], exchange.Retries.Select(retry => (retry.Began.TotalMilliseconds, retry.Took.TotalMilliseconds)));
    }

    [Fact]
    public async Task In_observe_mode_nothing_is_attempted_again_and_the_record_says_so()
    {
        var exchange = await RunAsync(Call("GET"), new RetrySettings { Mode = PolicyMode.Observe }, Answers(503), Answers(200));

        Assert.Equal((1, 503), (_sent.Count, exchange.ResponseStatus));
        Assert.Equal(new RetryNote("503", TimeSpan.Zero, "observe"), Assert.Single(exchange.Retries) with { Began = default, Took = default });
    }

    [Fact]
    public void Pauses_are_drawn_between_zero_and_a_ceiling_that_doubles_up_to_the_longest()
    {
        var settings = new RetrySettings { Base = TimeSpan.FromMilliseconds(100), Max = TimeSpan.FromSeconds(1) };
        Assert.Equal([100, 200, 400, 800, 1000, 1000], Enumerable.Range(1, 6).Select(failed => (int)Math.Round(new Backoff(() => 1).Of(settings, failed, null).TotalMilliseconds)));
        Assert.Equal(TimeSpan.Zero, new Backoff(() => 0).Of(settings, 60, null));
        Assert.Equal(TimeSpan.FromSeconds(1), new Backoff(() => 1).Of(settings, 60, null));
    }

    private static Exchange Call(string method, string content = "", bool announced = true)
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Method = method };
        exchange.RequestBody = content.Length == 0 ? MessageBody.Empty : new TextBody(content, announced);
        return exchange;
    }

    private static Func<Exchange, string, Task> Answers(int status, string content = "", string? retryAfter = null) => async (exchange, _) =>
    {
        await SendAllAsync(exchange);
        exchange.ResponseBody = content.Length == 0 ? MessageBody.Empty : new TextBody(content, announced: true);
        if (retryAfter is not null)
        {
            exchange.ResponseHeaders.Add(KnownHeader.RetryAfter, retryAfter);
        }

        exchange.Answer(Outcome.Forwarded, status);
    };

    private static Func<Exchange, string, Task> Breaks(Failure failure, int readBytes = int.MaxValue) => async (exchange, _) =>
    {
        var buffer = new byte[1_000];
        for (var read = 0; read < readBytes;)
        {
            var piece = await exchange.RequestBody.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, readBytes - read)), Cancellation);
            if (piece == 0)
            {
                break;
            }

            read += piece;
            exchange.RequestBodyBytes += piece;
        }

        exchange.Fail(failure);
    };

    private static Func<Exchange, string, Task> Step(Action<Exchange> first, Func<Exchange, string, Task> then) => (exchange, text) =>
    {
        first(exchange);
        return then(exchange, text);
    };

    private static async Task SendAllAsync(Exchange exchange)
    {
        var text = await ReadAsync(exchange.RequestBody);
        exchange.RequestBodyBytes += text.Length;
        exchange.Destination = text;
    }

    private static async Task<string> ReadAsync(MessageBody body)
    {
        var text = new StringBuilder();
        var buffer = new byte[777];
        while (await body.ReadAsync(buffer, Cancellation) is > 0 and var read)
        {
            text.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        return text.ToString();
    }

    private async Task<Exchange> RunAsync(Exchange exchange, RetrySettings settings, params Func<Exchange, string, Task>[] steps)
    {
        var policy = new RetryPolicy(settings, _budget, new Backoff(() => 0), total: null, _time);
        await policy.InvokeAsync(exchange, Script(steps));
        return exchange;
    }

    private ExchangeHandler Script(params Func<Exchange, string, Task>[] steps)
    {
        var next = 0;
        return async exchange =>
        {
            exchange.Destination = "";
            var step = steps[next++];
            await step(exchange, "");
            _sent.Add(exchange.Destination);
        };
    }

    private sealed class Ending(Action ended) : IAnswerEnding
    {
        public void AnswerEnded(Exchange exchange) => ended();
    }

    private sealed class TextBody(string text, bool announced) : MessageBody
    {
        private readonly byte[] _bytes = Encoding.ASCII.GetBytes(text);
        private int _position;

        public override long? Length => announced ? _bytes.Length : null;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var count = Math.Min(buffer.Length, _bytes.Length - _position);
            _bytes.AsSpan(_position, count).CopyTo(buffer.Span);
            _position += count;
            return new ValueTask<int>(count);
        }
    }
}
