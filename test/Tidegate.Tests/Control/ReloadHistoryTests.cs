using Microsoft.Extensions.Time.Testing;
using Tidegate.Control;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class ReloadHistoryTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 26, 10, 15, 0, TimeSpan.Zero));

    [Fact]
    public void Without_an_attempt_there_is_nothing_but_the_start()
    {
        var history = new ReloadHistory(_time);
        Assert.Empty(history.Recent);
        Assert.Null(history.Last);
        Assert.Equal(_time.GetUtcNow(), history.InForceSince);
    }

    [Fact]
    public void The_newest_is_first_and_only_what_is_in_force_moves_the_time()
    {
        var history = new ReloadHistory(_time);
        _time.Advance(TimeSpan.FromMinutes(1));
        var good = history.Add(isInForce: true, []);
        _time.Advance(TimeSpan.FromMinutes(1));
        var bad = history.Add(isInForce: false, [], "no");
        Assert.Equal([bad, good], history.Recent);
        Assert.Same(bad, history.Last);
        Assert.Equal(good.Time, history.InForceSince);
        Assert.Equal((1, 1), (history.Succeeded, history.Failed));
    }

    [Fact]
    public void Of_many_the_last_twenty_are_kept_and_all_are_counted()
    {
        var history = new ReloadHistory(_time);
        var all = new List<ReloadResult>();
        for (var i = 0; i < 50; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            all.Add(history.Add(isInForce: i % 2 == 0, []));
        }

        Assert.Equal(all.TakeLast(20).Reverse(), history.Recent);
        Assert.Equal((25, 25), (history.Succeeded, history.Failed));
        Assert.Equal(all[48].Time, history.InForceSince);
    }
}
