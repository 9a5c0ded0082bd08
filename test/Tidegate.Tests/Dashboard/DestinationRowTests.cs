using Microsoft.Extensions.Time.Testing;
using Tidegate.Control;
using Tidegate.Dashboard.Data;
using Tidegate.Forwarding;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>Which destinations an API's page names.</summary>
public sealed class DestinationRowTests
{
    [Fact]
    public void Those_that_are_configured_are_named_without_a_call_and_the_one_that_is_left_out_first()
    {
        var rows = DestinationRow.Of([Called("http://a:1", 9), Called("http://gone:1", 2)], [State("http://a:1"), State("http://b:1", isEjected: true), State("http://c:1")]);

        Assert.Equal(["http://b:1", "http://a:1", "http://c:1", "http://gone:1"], rows.Select(row => row.Name));
        Assert.Equal([0L, 9L, 0L, 2L], rows.Select(row => row.Sums?.Now.Calls ?? 0));
        Assert.Equal([true, false, false, null], rows.Select(row => row.State?.IsEjected));
    }

    [Fact]
    public void Of_hosts_that_callers_chose_only_the_most_called_are_named() =>
        Assert.Equal(12, DestinationRow.Of([.. Enumerable.Range(0, 40).Select(i => Called($"http://{i}:1", 40 - i))], []).Count);

    [Theory]
    [InlineData(false, false, "in turn", "left out once")]
    [InlineData(true, false, "left out", "left out once")]
    [InlineData(false, true, "in turn", "would have been left out once")]
    [InlineData(true, true, "would be left out", "would have been left out once")]
    public void One_that_only_would_be_left_out_is_not_said_to_be(bool isEjected, bool isObserved, string word, string times)
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 26, 10, 0, 0, TimeSpan.Zero));
        var health = new DestinationHealth(time);
        health.Failed(new Ejection(1, TimeSpan.FromSeconds(10), isObserved), health.Enter(0), time.GetTimestamp());
        time.Advance(TimeSpan.FromSeconds(4));
        var state = DestinationState.Of("http://a:1", "eu", isAlone: false, new DestinationView("orders", "http://a:1", health, isEjected, isObserved), time.GetTimestamp(), time.GetUtcNow());

        Assert.Equal((word, "1 of 1 attempts failed since the start, " + times, 1), (state.Word, state.Attempts, state.FailuresInRow));
        Assert.Equal(isEjected ? time.GetUtcNow().AddSeconds(-4) : null, state.Since);
        Assert.Equal(isEjected ? time.GetUtcNow().AddSeconds(6) : null, state.Until);
    }

    [Theory]
    [InlineData(3, 6)]
    [InlineData(60, 56)]
    public void One_that_failed_and_asked_for_a_pause_too_is_left_out_until_the_later_of_both(int askedSeconds, int leftSeconds)
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 26, 10, 0, 0, TimeSpan.Zero));
        var health = new DestinationHealth(time);
        health.Failed(new Ejection(1, TimeSpan.FromSeconds(10)), health.Enter(0), time.GetTimestamp());
        health.Ask(TimeSpan.FromSeconds(askedSeconds), time.GetTimestamp());
        time.Advance(TimeSpan.FromSeconds(4));
        var now = time.GetTimestamp();
        var state = DestinationState.Of("http://a:1", "eu", isAlone: false, new DestinationView("orders", "http://a:1", health, IsEjected: true, IsObserved: false, health.AskedSeconds(now)), now, time.GetUtcNow());

        Assert.Equal((time.GetUtcNow().AddSeconds(-4), time.GetUtcNow().AddSeconds(leftSeconds)), (state.Since, state.Until));
    }

    private static GroupRow Called(string name, long calls) => new([name], Totals.None with { Calls = calls }, "/exchanges");

    private static DestinationState State(string name, bool isEjected = false) => new(name, "", isEjected, false, isEjected ? "left out" : "in turn", null, null, 0, "");
}
