using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Prices;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies.Limits.Prices;

/// <summary>What the attempts of an exchange put on its bill.</summary>
public sealed class CostPolicyTests : IAsyncLifetime
{
    private static readonly Failure Unreachable = new(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "down");
    private static readonly Failure Silent = new(FailureSource.Upstream, FailureKind.ResponseHeadersTimeout, Retryable: false, "slow");

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 26, 10, 0, 0, TimeSpan.Zero));
    private CompilerServices _services = null!;

    public ValueTask InitializeAsync()
    {
        _services = new CompilerServices(new Forwarder(_time), _time);
        return default;
    }

    public ValueTask DisposeAsync() => _services.Forwarder.DisposeAsync();

    [Theory]
    [InlineData("attempts", 200, 1)]
    [InlineData("attempts", 503, 1)]
    [InlineData("answers", 503, 1)]
    [InlineData("successes", 503, 0)]
    [InlineData("successes", 404, 0)]
    [InlineData("successes", 302, 1)]
    public async Task An_answer_is_billed_as_declared(string billed, int status, int expected)
    {
        var exchange = await SendAsync(Policy($"per_request: 0.002 USD, billed: {billed}"), attempt => attempt.Answer(Outcome.Forwarded, status));

        Assert.Equal(new ExchangeCost(0.002m * expected, "USD", expected, 0), exchange.Cost);
    }

    [Fact]
    public async Task What_never_reached_the_provider_costs_nothing_and_what_may_have_is_billed()
    {
        var policy = Policy("per_request: 0.002 USD");

        foreach (var failure in (Failure[])[Unreachable, new(FailureSource.Upstream, FailureKind.TotalTimeout, Retryable: false, "slow to connect"), new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "left meanwhile"), new(FailureSource.Gateway, FailureKind.GatewayError, Retryable: false, "broken field")])
        {
            Assert.Equal(new ExchangeCost(0, "USD", 0, 0), (await SendAsync(policy, attempt =>
            {
                attempt.WasSent = false;
                attempt.Fail(failure);
            })).Cost);
        }

        Assert.Equal(new ExchangeCost(0.002m, "USD", 1, 0), (await SendAsync(policy, attempt => attempt.Fail(Silent))).Cost);
        Assert.Equal(new ExchangeCost(0, "USD", 0, 0), (await SendAsync(Policy("per_request: 0.002 USD, billed: answers"), attempt => attempt.Fail(Silent))).Cost);
    }

    [Theory]
    [InlineData("per_request: 0.002 USD", true, true, 1, 1)]
    [InlineData("per_request: 0.002 USD", true, false, 1, 0)]
    [InlineData("per_request: 0.002 USD, per_size: 1 USD/KB", true, true, 1, 1)]
    [InlineData("per_request: 0.002 USD, per_size: 1 USD/KB", true, false, 1, 0)]
    [InlineData("per_request: 0.002 USD, billed: answers", true, true, 1, 0)]
    [InlineData("per_request: 0.002 USD", false, true, 1, 0)]
    [InlineData("per_request: 0.002 USD", false, false, 0, 0)]
    public async Task What_was_sent_again_on_a_new_connection_is_billed_once_and_is_unknown_when_it_may_have_come_twice(string price, bool wasSentBefore, bool wasSent, int billed, int unknown)
    {
        var exchange = await SendAsync(Policy(price), attempt =>
        {
            attempt.Attempts++;
            attempt.WasSentBefore = wasSentBefore;
            attempt.WasSent = wasSent;
            if (wasSent)
            {
                attempt.Answer(Outcome.Forwarded, 200);
            }
            else
            {
                attempt.Fail(Unreachable);
            }
        });

        Assert.Equal(new ExchangeCost(0.002m * billed, "USD", billed, unknown), exchange.Cost);
    }

    [Fact]
    public async Task Every_attempt_of_an_exchange_is_added_exactly()
    {
        var policy = Policy("per_request: 0.1 EUR");
        var exchange = TestExchange.Of(Direction.Egress);
        for (var attempt = 0; attempt < 3; attempt++)
        {
            await policy.InvokeAsync(exchange, Answering(attempt < 2 ? 503 : 200));
            exchange.EndAnswer(downTo: 0);
            if (attempt < 2)
            {
                exchange.ForgetAnswer();
            }
        }

        Assert.Equal(new ExchangeCost(0.3m, "EUR", 3, 0), exchange.Cost);
        exchange.Reset();
        Assert.Equal(ExchangeCost.None, exchange.Cost);
    }

    [Fact]
    public async Task Content_is_priced_by_the_byte_of_the_side_that_is_written()
    {
        var exchange = await SendAsync(Policy("per_size: 1024 USD/KB, content: response"), attempt =>
        {
            attempt.RequestBodyBytes = 7;
            Answer(attempt, 200, "text/plain", "abc");
        });
        Assert.Equal(new ExchangeCost(3, "USD", 1, 0), exchange.Cost);

        // A gigabyte has no end of digits: rounded to a trillionth.
        exchange = await SendAsync(Policy("per_size: 0.09 USD/GB"), attempt =>
        {
            attempt.RequestBodyBytes = 1;
            Answer(attempt, 200, "text/plain", new string('x', 1_000_000));
        });
        Assert.Equal(0.000083819116m, exchange.Cost.Amount);
    }

    [Theory]
    [InlineData(0, 7)]
    [InlineData(40, 47)]
    public async Task Of_an_answer_that_was_thrown_away_or_cut_off_what_came_is_priced_and_the_rest_is_unknown(int read, int bytes)
    {
        var exchange = TestExchange.Of(Direction.Egress);
        await Policy("per_size: 1024 USD/KB").InvokeAsync(exchange, attempt =>
        {
            attempt.Attempts++;
            attempt.WasSent = true;
            attempt.RequestBodyBytes = 7;
            Answer(attempt, 503, "text/plain", new string('x', 100));
            return default;
        });
        Assert.Equal(read, await exchange.ResponseBody.ReadAsync(new byte[read], TestContext.Current.CancellationToken));
        exchange.EndAnswer(downTo: 0);
        exchange.ForgetAnswer();

        Assert.Equal(new ExchangeCost(bytes, "USD", 1, 1), exchange.Cost);
    }

    [Theory]
    [InlineData("GET", 304)]
    [InlineData("HEAD", 200)]
    [InlineData("GET", 204)]
    public async Task Answers_without_content_that_say_how_long_it_would_be_are_priced_whole(string method, int status)
    {
        var exchange = TestExchange.Of(Direction.Egress);
        exchange.Method = method;
        await Policy("per_size: 1024 USD/KB").InvokeAsync(exchange, attempt =>
        {
            attempt.Attempts++;
            attempt.WasSent = true;
            Answer(attempt, status, "text/plain", "abc");
            return default;
        });
        exchange.EndAnswer(downTo: 0);

        Assert.Equal(new ExchangeCost(0, "USD", 1, 0), exchange.Cost);
    }

    [Theory]
    [InlineData("application/json", """{"usage":{"prompt_tokens":1200,"prompt_tokens_details":{"cached_tokens":200},"completion_tokens":50}}""")]
    [InlineData("text/event-stream", "data: {\"delta\":\"hi\"}\n\ndata: {\"usage\":{\"prompt_tokens\":1200,\"prompt_tokens_details\":{\"cached_tokens\":200},\"completion_tokens\":50}}\n\ndata: [DONE]\n\n")]
    public async Task Tokens_are_read_from_the_answer_as_it_passes_and_those_of_another_price_are_counted_once(string type, string content)
    {
        var policy = Policy("""
            units: [
              { name: input, price: 2.50 USD/1000000, response_json: /usage/prompt_tokens, less: /usage/prompt_tokens_details/cached_tokens },
              { name: cached, price: 1.25 USD/1000000, response_json: /usage/prompt_tokens_details/cached_tokens, optional: true },
              { name: output, price: 10 USD/1000000, response_json: /usage/completion_tokens },
            ]
            """);
        var exchange = await SendAsync(policy, attempt => Answer(attempt, 200, type, content));

        Assert.Equal(new ExchangeCost(0.0025m + 0.00025m + 0.0005m, "USD", 1, 0), exchange.Cost);
        Assert.Contains("Accept-Encoding: identity", TestExchange.Lines(exchange.RequestHeaders));
    }

    [Fact]
    public async Task An_answer_that_does_not_say_what_was_used_is_unknown_and_never_free()
    {
        var policy = Policy("per_request: 0.01 USD, units: [{ name: tokens, price: 1 USD/1000, response_json: /usage/total_tokens }]");

        Assert.Equal(new ExchangeCost(0.01m, "USD", 1, 1), (await SendAsync(policy, attempt => Answer(attempt, 200, "application/json", "{}"))).Cost);
        Assert.Equal(new ExchangeCost(0.01m, "USD", 1, 1), (await SendAsync(policy, attempt => Answer(attempt, 200, "text/plain", "hello"))).Cost);
        Assert.Equal(new ExchangeCost(0, "USD", 0, 0), (await SendAsync(Policy("units: [{ name: tokens, price: 1 USD/1000, response_json: /t }]"), attempt => Answer(attempt, 429, "application/json", "{}"))).Cost);
    }

    [Fact]
    public async Task A_field_of_the_answer_can_say_it_to_the_digit()
    {
        var exchange = await SendAsync(Policy("units: [{ name: credits, price: 0.5 USD, response_header: X-Credits }]"), attempt =>
        {
            attempt.ResponseHeaders.Add("x-credits", "1.25");
            attempt.Answer(Outcome.Forwarded, 200);
        });

        Assert.Equal(new ExchangeCost(0.625m, "USD", 1, 0), exchange.Cost);

        // No content is read for it, and none is asked for in another form.
        Assert.DoesNotContain("Accept-Encoding: identity", TestExchange.Lines(exchange.RequestHeaders));
    }

    [Fact]
    public async Task A_process_that_starts_anew_goes_on_where_the_last_one_was()
    {
        const string Price = "units: [{ name: tokens, price: [{ up_to: 1000, price: 0 USD }, { price: 1 USD/1000 }], response_header: x-units }], per_request: [{ up_to: 1, price: 0 USD }, { price: 1 USD }]";
        var secret = new UInt128(1, 2);
        _services = _services with { Limits = new LimitStore(_time, secret, []) };
        Assert.Equal(0.5m, (await UseAsync(Policy(Price), "1500")).Amount);
        RestartLimits(secret);

        Assert.Equal(1.1m, (await UseAsync(Policy(Price), "100")).Amount);
    }

    [Fact]
    public async Task A_process_that_counts_parts_goes_on_where_one_that_counted_whole_units_was()
    {
        const string Price = "units: [{ name: tokens, price: [{ up_to: 1000, price: 0 USD }, { price: 1 USD/1000 }], response_header: x-units }]";
        var secret = new UInt128(1, 2);
        _services = _services with { Limits = new LimitStore(_time, secret, []) };

        // What the count was called then.
        MonthlyUse.OfWhole(_services.Limits, "a", "tokens").Add(1500);
        RestartLimits(secret);
        Assert.Equal(0.1m, (await UseAsync(Policy(Price), "100")).Amount);

        // Once: neither a configuration that is loaded anew nor the next process counts it again.
        Policy(Price);
        Assert.Equal(1600, MonthlyUse.OfUnits(_services.Limits, "a", "tokens").Add(0));
        RestartLimits(secret);
        Policy(Price);
        Assert.Equal(1600, MonthlyUse.OfUnits(_services.Limits, "a", "tokens").Add(0));
        _time.Advance(TimeSpan.FromDays(5));
        Assert.Equal(0, MonthlyUse.OfUnits(_services.Limits, "a", "tokens").Add(0));
    }

    [Theory]
    [InlineData("requests", "per_request: [{ up_to: 1000, price: 0 USD }, { price: 1 USD }],", 0)]
    [InlineData("bytes", "per_size: [{ up_to: 1KB, price: 0 USD/KB }, { price: 1 USD/KB }],", 0)]
    [InlineData("requests", "per_size: [{ up_to: 1KB, price: 0 USD/KB }, { price: 1 USD/KB }],", 1500)]
    [InlineData("requests", "per_request: 0 USD,", 1500)]
    [InlineData("bytes", "", 1500)]
    public void A_unit_named_as_what_is_priced_by_itself_goes_on_with_an_old_count_that_is_its_alone(string name, string others, int used)
    {
        MonthlyUse.OfWhole(_services.Limits, "a", name).Add(1500);
        Policy($"{others} units: [{{ name: {name}, price: [{{ up_to: 1000, price: 0 USD }}, {{ price: 1 USD/1000 }}], response_header: x-units }}]");

        Assert.Equal(used, MonthlyUse.OfUnits(_services.Limits, "a", name, isOldOfOthers: true).Add(0));
    }

    [Fact]
    public void A_configuration_that_never_comes_in_force_takes_no_count_away()
    {
        MonthlyUse.OfWhole(_services.Limits, "a", "requests").Add(1500);
        Policy("units: [{ name: requests, price: [{ up_to: 1000, price: 0 USD }, { price: 1 USD/1000 }], response_header: x-units }]");

        Assert.Equal(1500, MonthlyUse.OfWhole(_services.Limits, "a", "requests").Add(0));
    }

    [Fact]
    public void An_old_count_that_is_more_than_can_be_counted_ends_where_counting_does()
    {
        MonthlyUse.OfWhole(_services.Limits, "a", "tokens").Add(1L << 50);
        var use = MonthlyUse.OfUnits(_services.Limits, "a", "tokens");

        Assert.InRange(use.Add(0), MonthlyUse.MaxUnits, 2 * MonthlyUse.MaxUnits);
    }

    [Fact]
    public async Task Parts_of_a_unit_reach_the_next_tier_when_they_make_up_so_many()
    {
        var policy = Policy("units: [{ name: credits, price: [{ up_to: 3, price: 0 USD }, { price: 1 USD }], response_header: x-units }]");
        for (var call = 0; call < 10; call++)
        {
            Assert.Equal(0, (await UseAsync(policy, "0.3")).Amount);
        }

        Assert.Equal(0.3m, (await UseAsync(policy, "0.3")).Amount);
    }

    [Fact]
    public async Task A_unit_that_is_called_like_what_is_priced_by_itself_has_a_count_of_its_own()
    {
        var policy = Policy("units: [{ name: requests, price: [{ up_to: 10, price: 0 USD }, { price: 1 USD }], response_header: x-units }], per_request: [{ up_to: 1, price: 0 USD }, { price: 0.1 USD }]");

        Assert.Equal(0, (await UseAsync(policy, "9")).Amount);
        Assert.Equal(0.1m, (await UseAsync(policy, "1")).Amount);
    }

    [Fact]
    public async Task More_than_can_be_counted_stays_in_the_last_tier()
    {
        var policy = Policy("units: [{ name: tokens, price: [{ up_to: 1000, price: 0 USD }, { price: 1 USD/1099511627776 }], response_header: x-units }]");
        await UseAsync(policy, "1099511627776");
        for (var call = 0; call < 20; call++)
        {
            Assert.Equal(1, (await UseAsync(policy, "1099511627776")).Amount);
        }
    }

    [Fact]
    public async Task Tiers_count_through_the_month_and_a_call_may_lie_in_two_of_them()
    {
        var policy = Policy("units: [{ name: tokens, price: [{ up_to: 1000, price: 0 USD }, { up_to: 1500, price: 2 USD/1000 }, { price: 1 USD/1000 }], response_header: x-tokens }]");
        async Task<decimal> Cost(int tokens) => (await SendAsync(policy, attempt =>
        {
            attempt.ResponseHeaders.Add("x-tokens", tokens.ToString(System.Globalization.CultureInfo.InvariantCulture));
            attempt.Answer(Outcome.Forwarded, 200);
        })).Cost.Amount;

        Assert.Equal(0, await Cost(900));
        Assert.Equal(0.8m, await Cost(500));
        Assert.Equal(0.2m + 0.1m, await Cost(200));
        Assert.Equal(0.1m, await Cost(100));

        // A configuration that is loaded anew goes on where the old one was; a month does not.
        policy = Policy("units: [{ name: tokens, price: [{ up_to: 1000, price: 0 USD }, { up_to: 1500, price: 2 USD/1000 }, { price: 1 USD/1000 }], response_header: x-tokens }]");
        Assert.Equal(0.1m, await Cost(100));
        _time.Advance(TimeSpan.FromDays(5));
        Assert.Equal(0, await Cost(100));
    }

    [Fact]
    public async Task A_price_holds_from_its_day_on_and_before_the_first_it_is_unknown()
    {
        const string Prices = "[{ from: 2026-11-27, per_request: 1 USD }, { from: 2026-11-28, per_request: 2 USD }]";
        var policy = PolicyOf(Prices);

        Assert.Equal(ExchangeCost.None, (await SendAsync(policy, attempt => attempt.Answer(Outcome.Forwarded, 200))).Cost);
        Assert.Equal("unknown today; from 2026-11-27 on 1 USD each request, of every attempt; from 2026-11-28 on 2 USD each request, of every attempt", policy.Explain(TestExchange.Of(Direction.Egress)).Summary);
        _time.Advance(TimeSpan.FromHours(14));
        Assert.Equal(1, (await SendAsync(policy, attempt => attempt.Answer(Outcome.Forwarded, 200))).Cost.Amount);
        _time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(2, (await SendAsync(policy, attempt => attempt.Answer(Outcome.Forwarded, 200))).Cost.Amount);
        Assert.Equal("2 USD each request, of every attempt", policy.Explain(TestExchange.Of(Direction.Egress)).Summary);
    }

    [Fact]
    public async Task What_a_tunnel_carries_is_unknown()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        exchange.IsTunnel = true;
        await Policy("per_request: 1 USD").InvokeAsync(exchange, Answering(200));

        Assert.Equal(new ExchangeCost(0, "USD", 1, 1), exchange.Cost);
    }

    [Fact]
    public async Task An_attempt_that_is_not_over_when_the_exchange_is_counts_as_unknown_and_stays_off_the_next_ones_bill()
    {
        var policy = Policy("per_request: 1 USD");
        var client = TestExchange.Of(Direction.Egress);
        var late = TestExchange.Of(Direction.Egress);
        late.CopyRequest(client, CancellationToken.None);
        var answer = new TaskCompletionSource();
        var running = policy.InvokeAsync(late, async exchange =>
        {
            exchange.Attempts++;
            exchange.WasSent = true;
            await answer.Task;
            exchange.Answer(Outcome.Forwarded, 200);
        });

        await policy.InvokeAsync(client, Answering(200));
        Assert.Equal(new ExchangeCost(1, "USD", 2, 1), client.Cost);
        client.Reset();
        await policy.InvokeAsync(client, Answering(200));
        answer.SetResult();
        await running;

        Assert.Equal(new ExchangeCost(1, "USD", 1, 0), client.Cost);
    }

    // With what was saved, as another process finds it.
    private void RestartLimits(UInt128 secret)
    {
        var counts = new List<SavedCount>();
        _services.Limits.Cells.TakeChanged(counts);
        _services = _services with { Limits = new LimitStore(_time, secret, new ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>>(counts.ToDictionary(count => count.Key, count => count.Runs))) };
    }

    private static ExchangeHandler Answering(int status) => exchange =>
    {
        exchange.Attempts++;
        exchange.WasSent = true;
        exchange.Answer(Outcome.Forwarded, status);
        return default;
    };

    private static async Task<ExchangeCost> UseAsync(IPolicy policy, string units) => (await SendAsync(policy, attempt =>
    {
        attempt.ResponseHeaders.Add("x-units", units);
        attempt.Answer(Outcome.Forwarded, 200);
    })).Cost;

    private static void Answer(Exchange exchange, int status, string type, string content)
    {
        exchange.ResponseHeaders.Add("Content-Type", type);
        exchange.ResponseBody = new BegunBody(Encoding.UTF8.GetBytes(content), null);
        exchange.Answer(Outcome.Forwarded, status);
    }

    private static async Task<Exchange> SendAsync(IPolicy policy, Action<Exchange> answer)
    {
        var exchange = TestExchange.Of(Direction.Egress);
        await policy.InvokeAsync(exchange, attempt =>
        {
            attempt.Attempts++;
            attempt.WasSent = true;
            answer(attempt);
            return default;
        });
        var buffer = new byte[40];
        while (await exchange.ResponseBody.ReadAsync(buffer, TestContext.Current.CancellationToken) > 0)
        {
        }

        exchange.EndAnswer(downTo: 0);
        return exchange;
    }

    private IPolicy Policy(string price) => PolicyOf($"{{ {price} }}");

    private IPolicy PolicyOf(string prices)
    {
        var (compiled, problems) = SnapshotCompiler.Compile(ConfigurationLoader.LoadText($$"""
            listeners: { egress: { address: 127.0.0.1:8080 } }
            apis: [{ name: a, direction: egress, hosts: [a.test], cost: {{prices.ReplaceLineEndings(" ")}} }]
            """, "t.yaml"), _services);
        Assert.Empty(problems);
        return compiled!.Snapshot.Plans[0].Pipeline.Policies.Single(policy => policy.Name == "cost");
    }
}
