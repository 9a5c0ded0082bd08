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

    [Theory]
    [MemberData(nameof(Seeds))]
    public void What_is_written_of_durations_is_every_bucket_and_its_count_however_near_or_far_they_are(int seed)
    {
        var random = new Random(seed);
        var sketch = new LatencySketch();
        for (var turn = 0; turn < 4; turn++)
        {
            var exact = new SortedDictionary<int, long>();
            for (var i = 0; i < 60; i++)
            {
                // One hump that is soon full, and now and then what is far from everything.
                var part = new LatencySketch();
                var expected = new SortedDictionary<int, long>();
                for (var count = random.Next(40); count > 0; count--)
                {
                    var bucket = random.Next(30) == 0 ? random.Next(1_200) : (400 + (turn * 50) + random.Next(10 * (i + 1) % 300));
                    var times = random.Next(20) == 0 ? random.Next(1, 100_000) : random.Next(1, 20);
                    expected[bucket] = expected.GetValueOrDefault(bucket) + times;
                    exact[bucket] = exact.GetValueOrDefault(bucket) + times;
                }

                var bytes = Written(expected);
                var source = new ByteSource(bytes.Written, new TextPool());
                (i % 2 == 0 ? sketch : part).Read(ref source);
                Assert.True(source.IsEmpty);
                sketch.Add(part);
                Assert.Equal(exact.Values.Sum(), sketch.Count);
                Assert.Equal(Convert.ToHexString(Written(exact).Written), Convert.ToHexString(Written(sketch).Written));
            }

            sketch.Clear();
            Assert.Equal(TimeSpan.Zero, sketch.Quantile(0.5));
        }
    }

    [Fact]
    public void A_cell_is_read_as_it_was_written_and_adds_up()
    {
        var random = new Random(1);
        var (whole, read) = (new RollupCell(), new RollupCell());
        for (var part = 0; part < 20; part++)
        {
            var cell = new RollupCell();
            ulong id = 0;
            foreach (var record in StoreRecords.Batch(random, ref id, DateTimeOffset.UnixEpoch, random.Next(200)))
            {
                cell.Add(in record);
                whole.Add(in record);
            }

            var bytes = new ByteSink();
            cell.Write(bytes);
            Assert.Equal(cell.Count, read.AddWritten(bytes.Written, new TextPool()));
        }

        var (expected, actual) = (new ByteSink(), new ByteSink());
        whole.Write(expected);
        read.Write(actual);
        Assert.Equal(expected.Written.ToArray(), actual.Written.ToArray());
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Bytes_that_are_no_cell_are_an_error_and_nothing_worse(int seed)
    {
        var random = new Random(seed);
        var cell = new RollupCell();
        ulong id = 0;
        foreach (var record in StoreRecords.Batch(random, ref id, DateTimeOffset.UnixEpoch, 300))
        {
            cell.Add(in record);
        }

        var bytes = new ByteSink();
        cell.Write(bytes);
        for (var i = 0; i < 500; i++)
        {
            var broken = bytes.Written[..random.Next(bytes.Length)].ToArray();
            random.NextBytes(broken.AsSpan(random.Next(broken.Length + 1)));
            try
            {
                new RollupCell().AddWritten(broken, new TextPool());
            }
            catch (Exception trouble)
            {
                Assert.IsType<InvalidDataException>(trouble);
            }
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

    private static ByteSink Written(SortedDictionary<int, long> buckets)
    {
        var bytes = new ByteSink();
        bytes.Number((ulong)buckets.Count);
        var last = 0;
        foreach (var (bucket, count) in buckets)
        {
            bytes.Number((ulong)(bucket - last));
            bytes.Number((ulong)count);
            last = bucket;
        }

        return bytes;
    }

    private static ByteSink Written(LatencySketch sketch)
    {
        var bytes = new ByteSink();
        sketch.Write(bytes);
        return bytes;
    }

    private static LatencySketch Copy(LatencySketch sketch)
    {
        var bytes = Written(sketch);
        var copy = new LatencySketch();
        var source = new ByteSource(bytes.Written, new TextPool());
        copy.Read(ref source);
        Assert.True(source.IsEmpty);
        return copy;
    }
}
