using Tidegate.Dashboard.Data;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Credential;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>What an exchange's page tells of it.</summary>
public sealed class TimelineStepTests
{
    [Fact]
    public void Attempts_pauses_and_decisions_stand_in_their_order()
    {
        var steps = TimelineStep.Of(TestRecords.Egress with
        {
            Observed = [new PolicyDecision("limits", "rate_limited")],
            Cache = CacheResult.Miss,
            Queue = TimeSpan.FromMilliseconds(40),
            Attempts = 2,
            Retries = [new RetryNote("503", TimeSpan.FromMilliseconds(120), "") { Destination = "http://10.0.0.9:80", Region = "eu", Credential = "first", Began = TimeSpan.FromMilliseconds(41), Took = TimeSpan.FromMilliseconds(9) }],
            Connect = TimeSpan.FromMilliseconds(2),
        });

        Assert.Equal(
            [
                "The request's head was complete", "limits would have refused", "The cache was asked", "Waited for a limit", "Attempt 1 did not do: 503", "Waited before the next attempt",
                "Attempt 2 was sent to the upstream", "Connected", "The upstream's answer began", "Answered", "Its last byte was sent",
            ],
            steps.Select(step => step.Name));
        Assert.Equal(("http://10.0.0.9:80, eu, first, began after 41 ms", TimeSpan.FromMilliseconds(9)), (steps[4].Detail, steps[4].Length));
        Assert.Equal(TimeSpan.FromMilliseconds(120), steps[5].Length);
    }

    [Fact]
    public void Every_policy_of_the_route_says_what_the_record_has_of_it()
    {
        var record = TestRecords.Egress with
        {
            Consumer = new Consumer("partner", "acme", ""),
            Observed = [new PolicyDecision("limits", "rate_limited"), new PolicyDecision("ejection", "destination_ejected")],
            Cache = CacheResult.Miss,
            Attempts = 2,
            Retries = [new RetryNote("503", TimeSpan.Zero, "")],
        };
        var steps = TimelineStep.Of(record, new RouteDecisions([.. All], IsNewer: true));

        Assert.Equal(
            [
                "authenticate: partner, by its key", "access: may call", "fallback: was not needed", "limits: let it pass; limits would have refused (it only observes)", "cache: miss", "retry: 1 attempt did not do",
                "circuit_breaker: let it pass", "credential: put into X-Key",
            ],
            steps.Where(step => step.IsPart).Select(step => $"{step.Name}: {step.Detail}"));
        Assert.Contains("in force now", steps.Single(step => step.Name == "Policies decided").Detail, StringComparison.Ordinal);

        // What belongs to none of them stands apart, once.
        Assert.Equal(["limits", "Its destination would have been left out from here on"], steps.Where(step => step.Tone == "warn" && step.Name is not "Waited before the next attempt").Select(step => step.Name));
    }

    [Theory]
    [InlineData(Outcome.Rejected, "access", CacheResult.None, 0, 2)]
    [InlineData(Outcome.Rejected, "circuit_breaker", CacheResult.Miss, 0, 7)]
    [InlineData(Outcome.Rejected, "routing", CacheResult.None, 0, 0)]
    [InlineData(Outcome.ServedFromFallback, "circuit_breaker", CacheResult.Miss, 0, 7)]
    [InlineData(Outcome.ServedFromFallback, "upstream", CacheResult.Miss, 1, 8)]
    [InlineData(Outcome.ServedFromCache, "", CacheResult.Hit, 0, 5)]
    [InlineData(Outcome.Failed, "client", CacheResult.None, 0, 0)]
    [InlineData(Outcome.Failed, "upstream", CacheResult.None, 1, 8)]
    [InlineData(Outcome.Forwarded, "", CacheResult.Miss, 1, 8)]
    public void Policies_are_named_up_to_the_one_that_decided(Outcome outcome, string reason, CacheResult cache, int attempts, int expected)
    {
        var steps = TimelineStep.Of(TestRecords.Egress with { Outcome = outcome, Reason = reason, Code = "why", Cache = cache, Attempts = attempts }, new RouteDecisions([.. All], IsNewer: false)).Where(step => step.IsPart).ToList();

        Assert.Equal(All.Select(policy => policy.Name).Take(expected), steps.Select(step => step.Name));
        Assert.Equal(reason.Length > 0 && All.Take(expected).Any(policy => policy.Name == reason), steps.Count > 0 && steps[^1] is { Tone: "warn", Detail: "refused: why" });
    }

    private static IEnumerable<IPolicy> All =>
        ((string[])["authenticate", "access", "fallback", "limits", "cache", "retry", "circuit_breaker"]).Select(name => new Named(name)).Concat<IPolicy>([new CredentialPolicy("X-Key", "secret")]);

    private sealed class Named(string name) : IPolicy
    {
        public string Name => name;

        public PolicyStage Stage => PolicyStage.Admit;

        public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) => next(exchange);

        public PolicyExplanation Explain(Exchange exchange) => new("");
    }

    [Theory]
    [InlineData("limits", "rate_limited", "limits would have refused")]
    [InlineData("fallback", "served_from_fallback", "The fixed answer would have stood in")]
    [InlineData("credential", "key_passed_over", "Another key would have been used")]
    [InlineData("ejection", "destination_ejected", "Its destination would have been left out from here on")]
    [InlineData("ejection", "destination_passed_over", "Another destination would have been asked")]
    public void What_only_observes_says_what_it_would_have_done(string policy, string code, string expected) =>
        Assert.Equal(expected, TimelineStep.Of(TestRecords.Egress with { Observed = [new PolicyDecision(policy, code)] }).First(step => step.Tone == "warn").Name);

    [Fact]
    public void What_was_refused_says_by_whom_and_was_sent_nowhere() => Assert.Equal(
        ["The request's head was complete", "Refused by access: consumer_not_allowed; 403", "Its last byte was sent"],
        TimelineStep.Of(TestRecords.Refused).Select(step => step.Name + (step.Tone == "warn" ? ": " + step.Detail : "")));

    [Fact]
    public void A_client_that_left_and_a_budget_that_was_used_up_are_told_apart()
    {
        var left = TimelineStep.Of(TestRecords.Egress with { Outcome = Outcome.Failed, Status = 0, Reason = "client", Code = "client_aborted" });
        var spent = TimelineStep.Of(TestRecords.Egress with { Status = 503, Retries = [new RetryNote("503", TimeSpan.Zero, "budget")] });

        Assert.Contains(left, step => step is { Name: "The client ended it", Detail: "client_aborted; the client got no answer" });
        Assert.Contains(spent, step => step is { Name: "No further attempt", Detail: "the retry budget was used up" });
        Assert.DoesNotContain(spent, step => step.Name.Contains("was sent to the upstream", StringComparison.Ordinal) || step.Name == "Sent to the upstream");
    }
}
