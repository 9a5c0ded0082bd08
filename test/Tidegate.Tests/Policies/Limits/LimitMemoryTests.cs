using Tidegate.Policies.Limits;
using Tidegate.Tests.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

/// <summary>What counts take. In the collection of those that need the process for themselves, because it measures memory.</summary>
[Collection(nameof(StoreMemoryTests))]
public sealed class LimitMemoryTests
{
    [Fact]
    public void A_million_keys_take_less_than_two_hundred_megabytes()
    {
        var window = new SlidingWindow(5, 3_600 * TimeProvider.System.TimestampFrequency);
        var (cells, bytes) = RetainedMemory.Measure(Fill, (_, bytes) => bytes < 200_000_000);
        Assert.Equal(1_000_000, cells.Count);
        Assert.True(bytes < 200_000_000, $"{bytes:N0} bytes");

        LimitCells Fill()
        {
            var cells = new LimitCells(TimeProvider.System);
            var random = new Random(6);
            for (var i = 0; i < 1_000_000; i++)
            {
                cells.Take(window, new UInt128((ulong)random.NextInt64(long.MinValue, long.MaxValue), (ulong)random.NextInt64(long.MinValue, long.MaxValue)), 1, i);
            }

            return cells;
        }
    }
}
