using Tidegate.Policies.Limits;
using Tidegate.Tests.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

/// <summary>What counts take. In the collection of those that need the process for themselves, because it measures memory.</summary>
[Collection(nameof(StoreMemoryTests))]
public sealed class LimitMemoryTests
{
    private const int Keys = 1_000_000;

    [Fact]
    public void A_million_keys_take_less_than_two_hundred_megabytes() => Holds(new SlidingWindow(5, 3_600 * TimeProvider.System.TimestampFrequency), takings: 1);

    [Fact]
    public void A_million_busy_keys_take_less_than_two_hundred_megabytes_and_none_is_evicted() => Holds(new SlidingWindow(100, 3_600 * TimeProvider.System.TimestampFrequency), takings: 20);

    [Theory]
    [InlineData(4, 1, 48)]
    [InlineData(16, 1, 96)]
    [InlineData(4, 100_000, 72)]
    [InlineData(16, 100_000, 192)]
    public void A_log_takes_what_it_says(int runs, int each, int expected)
    {
        const int Logs = 100_000;
        var (logs, bytes) = RetainedMemory.Measure(Fill, (_, bytes) => IsExpected(bytes));
        Assert.Equal(expected, logs[0].Bytes);
        Assert.True(IsExpected(bytes), $"{bytes / (double)Logs} bytes each");

        bool IsExpected(long bytes) => Math.Abs((bytes / (double)Logs) - IntPtr.Size - expected) < 2;

        RunLog[] Fill()
        {
            var logs = new RunLog[Logs];
            for (var i = 0; i < Logs; i++)
            {
                logs[i] = RunLog.Start(0);
                for (var run = 1; run <= runs; run++)
                {
                    logs[i] = logs[i].Add(run, each, run * each);
                }
            }

            return logs;
        }
    }

    private static void Holds(SlidingWindow window, int takings)
    {
        var (cells, bytes) = RetainedMemory.Measure(Fill, (_, bytes) => bytes < 200_000_000);
        Assert.Equal(Keys, cells.Count);
        Assert.Equal(0, cells.Evicted);
        Assert.True(bytes < 200_000_000, $"{bytes:N0} bytes");

        // What was counted is still there, of every key.
        var random = new Random(6);
        for (var i = 0; i < Keys; i++)
        {
            Assert.Equal(takings, cells.Used(window, Key(random), Moment(i, takings)));
        }

        LimitCells Fill()
        {
            var cells = new LimitCells(TimeProvider.System);
            var random = new Random(6);
            for (var i = 0; i < Keys; i++)
            {
                var key = Key(random);
                for (var taking = 0; taking < takings; taking++)
                {
                    cells.Take(window, key, 1, Moment(i, taking));
                }
            }

            return cells;
        }

        // Far enough from each other that each is a run of its own.
        static long Moment(int key, int taking) => key + (taking * TimeProvider.System.TimestampFrequency);
    }

    private static UInt128 Key(Random random) => new((ulong)random.NextInt64(long.MinValue, long.MaxValue), (ulong)random.NextInt64(long.MinValue, long.MaxValue));
}
