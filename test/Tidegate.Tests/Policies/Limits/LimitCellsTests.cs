using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

public sealed class LimitCellsTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void Every_key_has_a_count_of_its_own_as_in_a_dictionary()
    {
        var random = new Random(3);
        var cells = new LimitCells(TimeProvider.System);
        var window = new SlidingWindow(5, Second);
        var model = new Dictionary<UInt128, (LimitCell Cell, int Dummy)>();
        var keys = Enumerable.Range(0, 5_000).Select(_ => Key(random)).ToList();
        for (var (i, now) = (0, 0L); i < 100_000; i++)
        {
            now += random.Next(1_000_000);
            var key = keys[random.Next(keys.Count)];
            var (cell, _) = model.GetValueOrDefault(key);
            var expected = window.Take(ref cell, 1, now);
            model[key] = (cell, 0);

            Assert.Equal(expected, cells.Take(window, key, 1, now));
        }
    }

    [Fact]
    public void Keys_that_say_no_more_than_fresh_ones_are_forgotten()
    {
        var random = new Random(4);
        var cells = new LimitCells(TimeProvider.System);
        var window = new SlidingWindow(5, Second);
        for (var i = 0L; i < 1_000_000; i++)
        {
            // A thousand keys a second, each once: no more than a second's worth still counts.
            cells.Take(window, Key(random), 1, i * (Second / 1_000));
        }

        Assert.InRange(cells.Count, 1_000, 20_000);
        Assert.Equal(0, cells.Evicted);
    }

    [Fact]
    public void There_are_never_more_keys_than_the_bound_and_the_evicted_are_counted()
    {
        const int Capacity = 10_000;
        var random = new Random(5);
        var cells = new LimitCells(TimeProvider.System, capacity: Capacity);
        var window = new SlidingWindow(5, 3_600 * Second);
        for (var i = 0L; i < 100_000; i++)
        {
            cells.Take(window, Key(random), 1, i);
            Assert.True(i % 1_000 != 0 || cells.Count <= Capacity);
        }

        Assert.InRange(cells.Count, Capacity / 2, Capacity);
        Assert.Equal(100_000, cells.Count + cells.Evicted);
    }

    [Fact]
    public void At_the_bound_keys_that_no_longer_count_go_and_those_that_do_stay()
    {
        const int Capacity = 64_000;
        var random = new Random(8);
        var cells = new LimitCells(TimeProvider.System, capacity: Capacity);
        var (hour, second) = (new SlidingWindow(100, 3_600 * Second), new SlidingWindow(100, Second));
        var kept = Enumerable.Range(0, Capacity / 4).Select(_ => Key(random)).ToList();
        foreach (var key in kept)
        {
            cells.Take(hour, key, 3, 0);
        }

        // Five times as many as there is room for, a quarter of it at once.
        for (var i = 0L; i < 5 * Capacity; i++)
        {
            cells.Take(second, Key(random), 1, i * Second / (Capacity / 4));
        }

        Assert.Equal(0, cells.Evicted);
        Assert.All(kept, key => Assert.Equal(3, cells.Used(hour, key, 21 * Second)));
    }

    [Fact]
    public void Keys_that_have_much_to_remember_take_the_place_of_several()
    {
        const int Capacity = 64_000;
        var random = new Random(7);
        var cells = new LimitCells(TimeProvider.System, capacity: Capacity);
        var window = new SlidingWindow(100, 3_600 * Second);
        for (var i = 0L; i < Capacity; i++)
        {
            var key = Key(random);
            for (var taking = 0; taking < RunLog.MaxRuns; taking++)
            {
                cells.Take(window, key, 1, i + (taking * Second));
            }
        }

        // Sixteen runs and what holds them are some 96 bytes beside the cell.
        Assert.InRange(cells.Count, Capacity / 4, Capacity / 2);
        Assert.True(cells.Evicted > 0);
    }

    [Fact]
    public async Task Of_many_threads_that_take_at_once_no_more_pass_than_the_amount()
    {
        const int Threads = 4;
        const int Amount = 1_000;
        var cells = new LimitCells(TimeProvider.System);
        var window = new SlidingWindow(Amount, 3_600 * Second);
        var passed = await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Task.Factory.StartNew(
            () => Enumerable.Range(0, 5_000).Count(_ => cells.Take(window, 7, 1, Second) == 0), TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

        Assert.Equal(Amount, passed.Sum());
        Assert.Equal(Amount, cells.Used(window, 7, Second));
    }

    private static UInt128 Key(Random random) => new((ulong)random.NextInt64(long.MinValue, long.MaxValue), (ulong)random.NextInt64(long.MinValue, long.MaxValue));
}
