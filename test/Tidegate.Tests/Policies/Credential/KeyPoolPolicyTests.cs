using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Credential;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies.Credential;

public sealed class KeyPoolPolicyTests
{
    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.Zero };
    private readonly KeyHealths _healths;

    public KeyPoolPolicyTests() => _healths = new KeyHealths(_time);

    [Fact]
    public async Task Keys_take_turns_by_weight_evenly_mixed()
    {
        var pool = Pool(("a", 3), ("b", 1));
        Assert.Equal("aabaaaba", await SendAsync(pool, 8));
    }

    [Fact]
    public async Task In_order_the_first_that_is_taken_gets_everything()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1));
        Assert.Equal("aaa", await SendAsync(pool, 3));

        await RunAsync(pool, Answers(401));
        Assert.Equal("bbb", await SendAsync(pool, 3));
    }

    [Theory]
    [InlineData(401, ProviderSignal.None, 60)]
    [InlineData(402, ProviderSignal.None, 60)]
    [InlineData(403, ProviderSignal.Billing, 60)]
    [InlineData(429, ProviderSignal.Quota, 60)]
    [InlineData(429, ProviderSignal.None, 1)]
    [InlineData(403, ProviderSignal.Throttle, 1)]
    [InlineData(403, ProviderSignal.None, 0)]
    [InlineData(429, ProviderSignal.Overload, 0)]
    [InlineData(404, ProviderSignal.None, 0)]
    [InlineData(503, ProviderSignal.None, 0)]
    [InlineData(200, ProviderSignal.None, 0)]
    public async Task A_key_is_set_aside_for_what_is_about_the_key(int status, ProviderSignal signal, int seconds)
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1));
        var exchange = await RunAsync(pool, Answers(status, signal));

        Assert.Equal(seconds > 0, exchange.HasOtherKey);
        Assert.Equal(seconds, (int)Math.Round(Health("a").SetAsideSeconds()));
        Assert.Equal(seconds > 0 ? "b" : "a", await SendAsync(pool, 1));
        _time.Advance(TimeSpan.FromSeconds(seconds));
        Assert.Equal("a", await SendAsync(pool, 1));
    }

    [Fact]
    public async Task The_providers_own_time_holds_and_refusals_in_a_row_last_longer_each_time()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1));
        await RunAsync(pool, Answers(429, retryAfter: "30"));
        Assert.Equal(30, Health("a").SetAsideSeconds());

        var seconds = new List<double>();
        for (var i = 0; i < 7; i++)
        {
            _time.Advance(TimeSpan.FromHours(1));
            await RunAsync(pool, Answers(401));
            seconds.Add(Health("a").SetAsideSeconds());
        }

        Assert.Equal([60, 120, 240, 480, 960, 960, 960], seconds);
        _time.Advance(TimeSpan.FromHours(1));
        await RunAsync(pool, Answers(200));
        await RunAsync(pool, Answers(401));
        Assert.Equal(60, Health("a").SetAsideSeconds());
    }

    [Fact]
    public async Task A_further_attempt_carries_a_key_that_has_not_been_refused_for_it_while_there_is_one()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1), ("c", 1));
        var exchange = Call();
        var sent = new StringBuilder();
        var others = new List<bool>();
        for (var i = 0; i < 4; i++)
        {
            await RunAsync(pool, exchange, Answers(429), sent);
            others.Add(exchange.HasOtherKey);
            exchange.ForgetAnswer();
        }

        Assert.Equal("abca", sent.ToString());
        Assert.Equal([true, true, false, false], others);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    public async Task A_call_that_two_keys_are_refused_for_alike_is_to_blame_itself_and_sets_none_aside(int status)
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1), ("c", 1));
        for (var calls = 0; calls < 3; calls++)
        {
            var exchange = Call();
            var sent = new StringBuilder();
            await RunAsync(pool, exchange, Answers(status), sent);
            Assert.Equal((true, true), (exchange.HasOtherKey, exchange.IsKeyRefused));
            exchange.ForgetAnswer();
            await RunAsync(pool, exchange, Answers(status), sent);
            Assert.Equal((false, false), (exchange.HasOtherKey, exchange.IsKeyRefused));
            Assert.Equal("ab", sent.ToString());
        }

        Assert.All(_healths.All, health => Assert.Equal(0, health.SetAsideSeconds()));
        await RunAsync(pool, Answers(status));
        Assert.Equal(60, Health("a").SetAsideSeconds());
    }

    [Fact]
    public async Task Two_keys_that_are_dead_do_not_hide_a_third_that_is_taken()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1), ("c", 1));
        var calls = new List<string>();
        for (var call = 0; call < 6; call++)
        {
            var exchange = Call();
            var sent = new StringBuilder();
            do
            {
                exchange.ForgetAnswer();
                await RunAsync(pool, exchange, asked => Answers(asked.ProviderKey!.Name == "c" ? 200 : 401)(asked), sent);
            }
            while (exchange.HasOtherKey);
            calls.Add($"{sent} {exchange.ResponseStatus}");
        }

        Assert.Equal(["ab 401", "ab 401", "ab 401", "abc 200", "c 200", "c 200"], calls);
        Assert.Equal((60, 60, 0), (Health("a").SetAsideSeconds(), Health("b").SetAsideSeconds(), Health("c").SetAsideSeconds()));
    }

    [Fact]
    public async Task A_caller_whose_calls_no_key_is_taken_for_sets_none_aside_however_often_it_calls()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1), ("c", 1), ("d", 1));
        var calls = new List<string>();
        for (var call = 0; call < 5; call++)
        {
            var exchange = Call();
            var sent = new StringBuilder();
            do
            {
                exchange.ForgetAnswer();
                await RunAsync(pool, exchange, Answers(401), sent);
            }
            while (exchange.HasOtherKey);
            calls.Add(sent.ToString());
        }

        Assert.Equal(["ab", "ab", "ab", "abc", "abc"], calls);
        Assert.All(_healths.All, health => Assert.Equal(0, health.SetAsideSeconds()));
        await RunAsync(pool, Answers(200));
        var after = Call();
        await RunAsync(pool, after, Answers(401), null);
        after.ForgetAnswer();
        await RunAsync(pool, after, Answers(401), null);
        Assert.False(after.HasOtherKey);
    }

    [Fact]
    public async Task Keys_that_are_refused_each_in_another_way_are_each_to_blame()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1), ("c", 1));
        var exchange = Call();
        await RunAsync(pool, exchange, Answers(401), null);
        exchange.ForgetAnswer();
        await RunAsync(pool, exchange, Answers(402), null);

        Assert.True(exchange.HasOtherKey);
        Assert.Equal((60, 60), (Health("a").SetAsideSeconds(), Health("b").SetAsideSeconds()));
    }

    [Fact]
    public async Task A_refusal_about_one_bucket_goes_on_with_another_key_and_sets_none_aside()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1));
        var exchange = await RunAsync(pool, asked =>
        {
            Answers(429, ProviderSignal.Throttle, "30")(asked);
            asked.IsSignalOfBucket = true;
        });

        Assert.True(exchange.HasOtherKey);
        Assert.Equal(0, Health("a").SetAsideSeconds());
        exchange.ForgetAnswer();
        var sent = new StringBuilder();
        await RunAsync(pool, exchange, Answers(200), sent);
        Assert.Equal("b", sent.ToString());
    }

    [Fact]
    public async Task When_none_is_taken_all_are_offered_and_the_one_that_is_back_first_before_the_others()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1), ("c", 1));
        await RunAsync(pool, Answers(401));
        await RunAsync(pool, Answers(429, retryAfter: "5"));
        await RunAsync(pool, Answers(429, retryAfter: "9"));

        var tried = new StringBuilder();
        await pool.InvokeAsync(Call(), exchange =>
        {
            tried.Append(exchange.ProviderKey!.Name);
            exchange.Reject(Full(9));
            return default;
        });
        Assert.Equal("bcab", tried.ToString());
    }

    [Fact]
    public async Task A_key_that_is_taken_is_no_longer_set_aside_unless_that_was_sent_before_it_was_refused()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1));
        var late = new TaskCompletionSource();
        var lateCall = Call();
        var running = pool.InvokeAsync(lateCall, async exchange =>
        {
            await late.Task;
            exchange.Answer(Outcome.Forwarded, 200);
        });
        _time.Advance(TimeSpan.FromSeconds(1));
        await RunAsync(pool, Answers(401));
        late.SetResult();
        await running;
        Assert.Equal(60, Health("a").SetAsideSeconds());

        _time.Advance(TimeSpan.FromSeconds(1));
        await RunAsync(pool, Answers(503));
        Assert.Equal(59, Health("a").SetAsideSeconds());
        await RunAsync(pool, Answers(200));
        Assert.Equal(0, Health("a").SetAsideSeconds());
    }

    [Fact]
    public async Task Throttles_and_refusals_are_rows_of_their_own_and_a_wait_of_zero_raises_nothing()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1));
        for (var i = 0; i < 3; i++)
        {
            var exchange = await RunAsync(pool, Answers(429, retryAfter: "0"));
            Assert.True(exchange.HasOtherKey);
            Assert.Equal(0, Health("a").SetAsideSeconds());
        }

        foreach (var expected in (int[])[1, 2, 4])
        {
            await RunAsync(pool, Answers(429));
            Assert.Equal(expected, Health("a").SetAsideSeconds());
            _time.Advance(TimeSpan.FromHours(1));
        }

        await RunAsync(pool, Answers(401));
        Assert.Equal(60, Health("a").SetAsideSeconds());
    }

    [Fact]
    public async Task A_call_that_was_not_sent_has_no_key()
    {
        var pool = Pool(("a", 1), ("b", 1));
        Assert.Null((await RunAsync(pool, asked => asked.Reject(Full(9)))).ProviderKey);
        Assert.Null((await RunAsync(pool, asked => asked.Reject(new Rejection("circuit_breaker", "circuit_open", 503, "open")))).ProviderKey);
    }

    [Fact]
    public async Task A_key_without_room_is_passed_over_and_only_the_last_may_wait_for_it()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1), ("c", 1));
        var tried = new List<(string Key, bool MustNotQueue)>();
        await pool.InvokeAsync(Call(), exchange =>
        {
            tried.Add((exchange.ProviderKey!.Name, exchange.MustNotQueue));
            if (exchange.ProviderKey.Name == "c")
            {
                exchange.Answer(Outcome.Forwarded, 200);
            }
            else
            {
                exchange.Reject(Full(9));
            }

            return default;
        });
        Assert.Equal([("a", true), ("b", true), ("c", true)], tried);

        tried.Clear();
        var exchange = Call();
        await pool.InvokeAsync(exchange, exchange =>
        {
            tried.Add((exchange.ProviderKey!.Name, exchange.MustNotQueue));
            exchange.Reject(Full(exchange.ProviderKey.Name == "b" ? 2 : 9));
            return default;
        });
        Assert.Equal([("a", true), ("b", true), ("c", true), ("b", false)], tried);
        Assert.Equal((Outcome.Rejected, TimeSpan.FromSeconds(2)), (exchange.Outcome, exchange.Rejection!.RetryAfter));
        Assert.False(Health("a").IsSetAside(_time.GetTimestamp()));
    }

    [Fact]
    public async Task What_is_known_survives_a_reload_but_not_another_value()
    {
        var pool = Pool(KeyChoice.Ordered, ("a", 1), ("b", 1));
        await RunAsync(pool, Answers(401));

        Assert.Equal("b", await SendAsync(Pool(KeyChoice.Ordered, ("a", 1), ("b", 1)), 1));
        _healths.Keep(_healths.Of("api", new ProviderKey("a", 99)));
        Assert.False(Health("a").IsSetAside(_time.GetTimestamp()));
    }

    [Fact]
    public async Task In_observe_mode_keys_are_sent_by_turn_whatever_is_known_and_the_record_says_when_another_would_have_been()
    {
        var pool = Pool(KeyChoice.RoundRobin, PolicyMode.Observe, ("a", 1), ("b", 1));
        var refused = await RunAsync(pool, Answers(401));
        Assert.Equal([new PolicyDecision("credential", "key_set_aside")], refused.Observed);
        Assert.Equal((401, false, false), (refused.ResponseStatus, refused.HasOtherKey, refused.IsKeyRefused));
        Assert.Equal(60, Health("a").SetAsideSeconds());

        Assert.Empty((await RunAsync(pool, Answers(200))).Observed);
        var again = await RunAsync(pool, Answers(401));
        Assert.Equal("a", again.ProviderKey!.Name);
        Assert.Equal([new PolicyDecision("credential", "key_passed_over")], again.Observed);

        // It is taken again, and nothing is left of it.
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("ba", await SendAsync(pool, 2));
        Assert.Equal(0, Health("a").SetAsideSeconds());
    }

    [Fact]
    public async Task In_observe_mode_the_first_of_ordered_keys_is_sent_and_one_without_room_waits_or_is_refused()
    {
        var pool = Pool(KeyChoice.Ordered, PolicyMode.Observe, ("a", 1), ("b", 1));
        await RunAsync(pool, Answers(401));
        Assert.Equal("aa", await SendAsync(pool, 2));

        var tried = new List<(string Key, bool MustNotQueue)>();
        var full = Call();
        await pool.InvokeAsync(full, exchange =>
        {
            tried.Add((exchange.ProviderKey!.Name, exchange.MustNotQueue));
            exchange.Reject(Full(9));
            return default;
        });
        Assert.Equal([("a", false)], tried);
        Assert.Equal([new PolicyDecision("credential", "key_passed_over")], full.Observed);
        Assert.Null(full.ProviderKey);
    }

    [Fact]
    public async Task Explain_says_what_is_known_of_each_key_and_no_value()
    {
        var pool = Pool(("a", 2), ("b", 1));
        await RunAsync(pool, Answers(401));

        Assert.Equal("sets Authorization from 2 keys (values hidden), in turn: a (weight 2) set aside for 60 s after 401, b (weight 1) ready", pool.Explain(Call()).Summary);
    }

    [Fact]
    public async Task Into_the_clear_and_into_tunnels_no_key_goes()
    {
        var settings = new KeyPoolSettings { Keys = [new PooledKey("value of a"u8.ToArray(), 1, _healths.Keep(_healths.Of("api", new ProviderKey("a", 1))))] };
        var pool = new KeyPoolPolicy(new CredentialField("Authorization", requiresTls: true), settings, _time);
        var clear = await RunAsync(pool, Answers(200));
        Assert.Equal("credential_needs_tls", clear.Rejection!.Code);

        var tunnel = Call();
        tunnel.IsTunnel = true;
        await RunAsync(pool, tunnel, Answers(200), null);
        Assert.Null(tunnel.ProviderKey);
        Assert.Equal(["Authorization: client's"], TestExchange.Lines(tunnel.RequestHeaders));
    }

    private static Rejection Full(int seconds) => new("limits", "rate_limited", 429, "full", TimeSpan.FromSeconds(seconds));

    private static Exchange Call() => TestExchange.Of(Direction.Egress, ("Authorization", "client's"));

    private static Action<Exchange> Answers(int status, ProviderSignal signal = ProviderSignal.None, string? retryAfter = null) => exchange =>
    {
        if (retryAfter is not null)
        {
            exchange.ResponseHeaders.Add(KnownHeader.RetryAfter, retryAfter);
        }

        exchange.Signal = signal;
        exchange.Answer(Outcome.Forwarded, status);
    };

    private static async Task<Exchange> RunAsync(KeyPoolPolicy pool, Action<Exchange> answers) => await RunAsync(pool, Call(), answers, null);

    private static async Task<Exchange> RunAsync(KeyPoolPolicy pool, Exchange exchange, Action<Exchange> answers, StringBuilder? sent)
    {
        await pool.InvokeAsync(exchange, asked =>
        {
            if (asked.ProviderKey is { } key)
            {
                var value = Assert.Single(TestExchange.Lines(asked.RequestHeaders));
                Assert.Equal("Authorization: value of " + key.Name, value);
                sent?.Append(key.Name);
            }

            answers(asked);
            return default;
        });
        return exchange;
    }

    private static async Task<string> SendAsync(KeyPoolPolicy pool, int times)
    {
        var sent = new StringBuilder();
        for (var i = 0; i < times; i++)
        {
            await RunAsync(pool, Call(), Answers(200), sent);
        }

        return sent.ToString();
    }

    private KeyHealth Health(string name) => _healths.All.First(health => health.Key.Name == name);

    private KeyPoolPolicy Pool(params (string Name, int Weight)[] keys) => Pool(KeyChoice.RoundRobin, keys);

    private KeyPoolPolicy Pool(KeyChoice choice, params (string Name, int Weight)[] keys) => Pool(choice, PolicyMode.Enforce, keys);

    private KeyPoolPolicy Pool(KeyChoice choice, PolicyMode mode, params (string Name, int Weight)[] keys) => new(
        new CredentialField("Authorization", requiresTls: false),
        new KeyPoolSettings
        {
            Keys = [.. keys.Select(key => new PooledKey(Encoding.ASCII.GetBytes("value of " + key.Name), key.Weight, _healths.Keep(_healths.Of("api", new ProviderKey(key.Name, key.Name[0])))))],
            Choice = choice,
            Mode = mode,
        },
        _time);
}
