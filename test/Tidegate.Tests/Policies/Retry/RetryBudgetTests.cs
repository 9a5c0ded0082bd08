using Microsoft.Extensions.Time.Testing;
using Tidegate.Policies.Retry;
using Xunit;

namespace Tidegate.Tests.Policies.Retry;

public sealed class RetryBudgetTests
{
    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.Zero };
    private readonly RetryBudget _budget;

    public RetryBudgetTests() => _budget = new RetryBudget(_time);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Whatever_was_before_an_outage_gets_less_than_a_tenth_more_than_its_callers_send_and_ten(int seed)
    {
        var random = new Random(seed);
        foreach (var calls in (int[])[1, 2, 9, 10, 11, 50, 100, 199, 200, 400, 1_000, 5_000, 20_000])
        {
            // :: Some time of health, busy or quiet, with a failure now and then.
            var perSecond = random.Next(1, 3_000);
            for (var i = 0; i < random.Next(0, 20_000); i++)
            {
                _time.Advance(TimeSpan.FromSeconds(1.0 / perSecond));
                Call(fails: random.Next(50) == 0, attempts: 3);
            }

            // :: And all of the following calls fail, as often as they are tried.
            Call(fails: false, attempts: 1);
            var retries = 0;
            for (var i = 1; i <= calls; i++)
            {
                _time.Advance(TimeSpan.FromSeconds(1.0 / perSecond));
                _budget.Failed();
                for (var attempt = 1; attempt < 10 && _budget.TryWithdraw(); attempt++)
                {
                    retries++;
                }

                Assert.True(retries <= (0.1 * i) + RetryBudget.Reserve, $"{retries} retries of {i} calls");
                Assert.True(i <= 200 || retries < 0.1 * i, $"{retries} retries of {i} calls");
            }
        }
    }

    [Fact]
    public void An_outage_in_which_some_calls_succeed_gets_a_tenth_of_late_calls_and_what_its_successes_pay()
    {
        Healthy(calls: 2_000, perSecond: 100);
        var (retries, successes) = (0, 0);
        for (var i = 0; i < 400; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            successes += i % 20 == 0 ? 1 : 0;
            retries += Call(fails: i % 20 != 0, attempts: 3);
        }

        Assert.InRange(retries, 0, 100 + (successes * 0.2));
    }

    [Fact]
    public void What_a_busy_time_has_saved_mends_a_bad_moment_and_is_gone_when_it_has_become_quiet()
    {
        Healthy(calls: 2_000, perSecond: 200);
        var mended = 0;
        for (var i = 0; i < 90; i++)
        {
            // Every second call of a moment breaks.
            mended += Call(fails: true, attempts: 2);
            Call(fails: false, attempts: 1);
        }

        Assert.Equal(90, mended);

        Healthy(calls: 2_000, perSecond: 200);
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(RetryBudget.Reserve, _budget.Balance);
    }

    [Fact]
    public void A_quiet_api_saves_ten()
    {
        Assert.Equal(RetryBudget.Reserve, _budget.Balance);
        Healthy(calls: 500, perSecond: 1);
        Assert.Equal(RetryBudget.Reserve, _budget.Balance);
    }

    private void Healthy(int calls, int perSecond)
    {
        for (var i = 0; i < calls; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1.0 / perSecond));
            Call(fails: false, attempts: 1);
        }
    }

    /// <summary>How often it was attempted again. One that fails does so the first time.</summary>
    private int Call(bool fails, int attempts)
    {
        if (!fails)
        {
            _budget.Succeeded(0.2, isFirst: true);
            return 0;
        }

        _budget.Failed();
        var again = 0;
        while (again + 1 < attempts && _budget.TryWithdraw())
        {
            again++;
        }

        return again;
    }
}
