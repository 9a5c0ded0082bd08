using System.Collections.Frozen;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Fallback;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies.Fallback;

public sealed class FallbackPolicyTests
{
    private static readonly Failure Down = new(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "down");
    private static readonly Failure Left = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "left");
    private static readonly Rejection CircuitOpen = new("circuit_breaker", "circuit_open", 503, "open", TimeSpan.FromSeconds(7.2)) { SparesUpstream = true };
    private static readonly Rejection Limited = new("limits", "rate_limited", 429, "full", TimeSpan.FromSeconds(1));
    private static readonly Rejection CoolingDown = new("limits", "provider_cooling_down", 429, "later", TimeSpan.FromSeconds(1)) { SparesUpstream = true };
    private static readonly Rejection Forbidden = new("access", "consumer_not_allowed", 403, "no");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static FallbackSettings Settings { get; } = new() { Content = Encoding.UTF8.GetBytes("""{"rates":[]}""") };

    [Fact]
    public async Task An_upstream_that_is_gone_is_stood_in_for_with_the_fixed_answer_that_says_so()
    {
        var exchange = await RunAsync(Settings, asked => asked.Fail(Down));

        Assert.Equal((Outcome.ServedFromFallback, 200), (exchange.Outcome, exchange.ResponseStatus));
        Assert.Equal("""{"rates":[]}""", await ReadAsync(exchange.ResponseBody));
        Assert.Contains("Tidegate-Fallback: connect_failed", TestExchange.Lines(exchange.ResponseHeaders));
        Assert.Contains("Cache-Control: no-store", TestExchange.Lines(exchange.ResponseHeaders));
        Assert.Same(Down, exchange.Failure);
    }

    [Theory]
    [InlineData("failure", "failure", true)]
    [InlineData("failure", "circuit_open", false)]
    [InlineData("failure", "limit", false)]
    [InlineData("failure", "503", true)]
    [InlineData("failure", "500", false)]
    [InlineData("circuit_open", "circuit_open", true)]
    [InlineData("circuit_open", "failure", false)]
    [InlineData("circuit_open", "503", false)]
    [InlineData("circuit_open", "adaptive_throttle", true)]
    [InlineData("limit", "adaptive_throttle", false)]
    [InlineData("limit", "limit", true)]
    [InlineData("circuit_open", "limit", false)]
    [InlineData("circuit_open", "cool_down", true)]
    [InlineData("limit", "cool_down", true)]
    [InlineData("failure", "cool_down", false)]
    [InlineData("limit", "circuit_open", false)]
    [InlineData("500", "500", true)]
    [InlineData("500", "503", false)]
    [InlineData("failure", "access", false)]
    [InlineData("limit", "access", false)]
    [InlineData("failure", "client", false)]
    [InlineData("failure", "200", false)]
    public async Task It_stands_in_for_what_it_was_written_for_and_nothing_else(string when, string happens, bool standsIn)
    {
        var settings = Settings with
        {
            OnFailure = when == "failure",
            OnCircuitOpen = when == "circuit_open",
            OnLimit = when == "limit",
            Statuses = when == "500" ? FrozenSet.Create(500) : FrozenSet<int>.Empty,
        };
        var exchange = await RunAsync(settings, asked =>
        {
            switch (happens)
            {
                case "failure":
                    asked.Fail(Down);
                    break;
                case "client":
                    asked.Fail(Left);
                    break;
                case "circuit_open":
                    asked.Reject(CircuitOpen);
                    break;
                case "adaptive_throttle":
                    asked.Reject(new Rejection("adaptive_throttle", "throttled_adaptively", 503, "less") { SparesUpstream = true });
                    break;
                case "limit":
                    asked.Reject(Limited);
                    break;
                case "cool_down":
                    asked.Reject(CoolingDown);
                    break;
                case "access":
                    asked.Reject(Forbidden);
                    break;
                default:
                    asked.Answer(Outcome.Forwarded, int.Parse(happens, System.Globalization.CultureInfo.InvariantCulture));
                    break;
            }
        });

        Assert.Equal(standsIn, exchange.Outcome == Outcome.ServedFromFallback);
        Assert.Equal(standsIn, exchange.ResponseHeaders.Get("Tidegate-Fallback") is not null);
    }

    [Fact]
    public async Task In_observe_mode_callers_get_what_there_is_and_the_record_says_where_it_would_have_stood_in()
    {
        var settings = Settings with { Mode = PolicyMode.Observe };
        var body = new CountedBody();
        var exchange = await RunAsync(settings, asked =>
        {
            asked.ResponseBody = body;
            asked.Answer(Outcome.Forwarded, 503);
        });
        Assert.Equal((Outcome.Forwarded, 503, false), (exchange.Outcome, exchange.ResponseStatus, body.IsDisposed));
        Assert.Equal([new PolicyDecision("fallback", "served_from_fallback")], exchange.Observed);

        var refused = await RunAsync(settings, asked => asked.Reject(CircuitOpen));
        Assert.Equal((Outcome.Rejected, "circuit_open"), (refused.Outcome, refused.Rejection!.Code));
        Assert.Equal([new PolicyDecision("fallback", "served_from_fallback")], refused.Observed);

        Assert.Empty((await RunAsync(settings, asked => asked.Answer(Outcome.Forwarded, 200))).Observed);
    }

    [Fact]
    public async Task An_answer_that_is_replaced_is_thrown_away_and_over_for_whoever_waits_for_its_end()
    {
        var body = new CountedBody();
        Failure? seen = Down;
        var exchange = await RunAsync(Settings, asked =>
        {
            asked.ResponseHeaders.Add("Server", "broken");
            asked.ResponseBody = body;
            asked.WhenAnswerEnds(new Ending(at => seen = at.Failure));
            asked.Answer(Outcome.Forwarded, 503);
        });

        Assert.True(body.IsDisposed);
        Assert.Null(seen);
        Assert.Null(exchange.ResponseHeaders.Get("Server"));
        Assert.Equal("unwanted_status", exchange.ResponseHeaders.Get("Tidegate-Fallback"));
        Assert.Equal("The upstream answered 503.", exchange.Failure!.Detail);
        exchange.EndAnswer(downTo: 0);
    }

    [Fact]
    public async Task An_error_as_fixed_answer_says_when_to_come_back_where_that_is_known()
    {
        var error = await RunAsync(Settings with { Status = 503, Content = default }, asked => asked.Reject(CircuitOpen));
        Assert.Equal("8", error.ResponseHeaders.Get(KnownHeader.RetryAfter));
        Assert.True(error.ResponseBody.IsEmpty);
        Assert.Null(error.ResponseHeaders.Get(KnownHeader.ContentType));

        Assert.Null((await RunAsync(Settings, asked => asked.Reject(CircuitOpen))).ResponseHeaders.Get(KnownHeader.RetryAfter));
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_reads_the_fixed_answer_is_a_failure_of_its_own()
    {
        var exchange = await RunAsync(Settings, asked => asked.Reject(CircuitOpen));
        exchange.Fail(Left);

        Assert.Equal((Outcome.Failed, null, Left), (exchange.Outcome, exchange.Rejection, exchange.Failure));
    }

    [Fact]
    public async Task Upgrades_and_tunnels_get_what_happened()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        exchange.UpgradeProtocol = "websocket";
        await new FallbackPolicy(Settings, new FakeTimeProvider()).InvokeAsync(exchange, asked =>
        {
            asked.Fail(Down);
            return default;
        });
        Assert.Equal(Outcome.Failed, exchange.Outcome);
    }

    private static async Task<Exchange> RunAsync(FallbackSettings settings, Action<Exchange> upstream)
    {
        var exchange = TestExchange.Of(Direction.Egress);
        await new FallbackPolicy(settings, new FakeTimeProvider()).InvokeAsync(exchange, asked =>
        {
            upstream(asked);
            return default;
        });
        return exchange;
    }

    private static async Task<string> ReadAsync(MessageBody body)
    {
        var text = new StringBuilder();
        var buffer = new byte[5];
        while (await body.ReadAsync(buffer, Cancellation) is > 0 and var read)
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        return text.ToString();
    }

    private sealed class Ending(Action<Exchange> ended) : IAnswerEnding
    {
        public void AnswerEnded(Exchange exchange) => ended(exchange);
    }

    private sealed class CountedBody : MessageBody
    {
        public bool IsDisposed { get; private set; }

        public override long? Length => null;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => new(0);

        public override ValueTask DisposeAsync()
        {
            IsDisposed = true;
            return default;
        }
    }
}
