using Tidegate.Dashboard.Data;
using Tidegate.Exchanges;
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
