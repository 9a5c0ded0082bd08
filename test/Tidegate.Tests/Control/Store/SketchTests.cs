using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;
using Xunit;

namespace Tidegate.Tests.Control.Store;

public sealed class SketchTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Every_quantile_is_within_one_percent_however_the_durations_were_put_together(int seed)
    {
        var random = new Random(seed);
        var parts = Enumerable.Range(0, 5).Select(_ => new LatencySketch()).ToList();
        var exact = new List<double>();
        for (var i = 0; i < 5_000; i++)
        {
            // From microseconds to minutes, in humps as latencies are.
            var microseconds = Math.Exp((random.NextDouble() * 3) + (random.Next(4) * 4));
            exact.Add(microseconds);
            parts[random.Next(parts.Count)].Add(TimeSpan.FromTicks((long)(microseconds * 10)));
        }

        var whole = Copy(parts[0]);
        parts.Skip(1).ToList().ForEach(whole.Add);
        exact.Sort();
        Assert.Equal(exact.Count, whole.Count);
        foreach (var share in (double[])[0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1])
        {
            var expected = exact[(int)(share * (exact.Count - 1))];
            Assert.InRange(whole.Quantile(share).TotalMicroseconds, (expected * 0.99) - 0.2, (expected * 1.01) + 0.2);
        }
    }

    [Fact]
    public void Durations_are_counted_row_by_row()
    {
        var sketch = new LatencySketch();
        foreach (var milliseconds in (double[])[0.5, 3, 4, 80, 5_000])
        {
            sketch.Add(TimeSpan.FromMilliseconds(milliseconds));
        }

        var rows = new long[4];
        sketch.CountInto([TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(100)], rows);
        Assert.Equal([1, 2, 1, 1], rows);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(120)]
    [InlineData(300)]
    [InlineData(5_000)]
    [InlineData(200_000)]
    public void How_many_different_things_there_were_is_known_to_a_tenth_and_few_to_the_last(int count)
    {
        var random = new Random(count);
        var things = Enumerable.Range(0, count).Select(_ => (ulong)random.NextInt64(long.MinValue, long.MaxValue)).ToList();
        var (first, second) = (new DistinctSketch(), new DistinctSketch());
        foreach (var thing in things)
        {
            // Again and again, in both halves.
            first.Add(thing);
            first.Add(thing);
            (random.Next(2) == 0 ? first : second).Add(thing);
        }

        var restored = new DistinctSketch();
        foreach (var sketch in (DistinctSketch[])[first, second])
        {
            var bytes = new ByteSink();
            sketch.Write(bytes);
            var source = new ByteSource(bytes.Written, new TextPool());
            restored.Read(ref source);
            Assert.True(source.IsEmpty);
        }

        first.Add(second);
        Assert.Equal(first.Estimate(), restored.Estimate());
        Assert.InRange(first.Estimate(), count < 20 ? count : count * 0.9, count < 20 ? count : count * 1.1);
    }

    private static LatencySketch Copy(LatencySketch sketch)
    {
        var bytes = new ByteSink();
        sketch.Write(bytes);
        var copy = new LatencySketch();
        var source = new ByteSource(bytes.Written, new TextPool());
        copy.Read(ref source);
        Assert.True(source.IsEmpty);
        return copy;
    }
}
