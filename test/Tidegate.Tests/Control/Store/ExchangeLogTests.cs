using Tidegate.Control.Store.Log;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Control.Store;

public sealed class ExchangeLogTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 0, 0, TimeSpan.Zero);

    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-log-").FullName;

    private string File => Path.Combine(_directory, "1.log");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void What_is_read_is_what_was_written()
    {
        var random = new Random(1);
        var id = 0UL;
        var batches = Enumerable.Range(0, 50).Select(i => StoreRecords.Batch(random, ref id, Start.AddSeconds(i), random.Next(1, 129))).ToList();
        using (var writer = new LogWriter(File, 1, RandomAccess.FlushToDisk))
        {
            batches.ForEach(batch => writer.Add(batch));
            Assert.Equal((long)id, writer.Records);
        }

        Assert.Equal(batches.SelectMany(batch => batch).Select(StoreRecords.Text), Read(File).Select(StoreRecords.Text));
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 2)]
    [InlineData(3, 1)]
    [InlineData(4, 0)]
    public void Records_of_earlier_versions_are_read_without_what_came_later(int version, int less)
    {
        // All that came with the second version is, without a cost, one byte at the end; another came with the third, and with the fourth.
        var bytes = new ByteSink();
        var record = StoreRecords.Next(new Random(3), 1, Start) with { Cost = ExchangeCost.None, Retries = [], QueuePosition = 5 };
        RecordCodec.Write(bytes, record);
        var source = new ByteSource(bytes.Written[..^less], new TextPool());

        var expected = record with { Auth = version >= 3 ? record.Auth : AuthFields.None, QueuePosition = version >= 4 ? 5 : 0 };
        Assert.Equal(StoreRecords.Text(expected), StoreRecords.Text(RecordCodec.Read(ref source, version)));
        Assert.True(source.IsEmpty);
    }

    [Fact]
    public void A_frame_says_its_version()
    {
        Assert.Equal(1, LogFrame.VersionOf("TGX1"u8));
        Assert.Equal(2, LogFrame.VersionOf("TGX2"u8));
        Assert.Equal(0, LogFrame.VersionOf("TGY1"u8));
    }

    [Fact]
    public void A_tail_that_was_torn_at_any_byte_costs_only_the_frame_that_it_was()
    {
        var random = new Random(2);
        var id = 0UL;
        var before = 0L;
        using (var writer = new LogWriter(File, 1, RandomAccess.FlushToDisk))
        {
            writer.Add(StoreRecords.Batch(random, ref id, Start, 3));
            before = writer.Length;
            writer.Add(StoreRecords.Batch(random, ref id, Start, 2));
        }

        var whole = System.IO.File.ReadAllBytes(File);
        for (var length = before; length < whole.Length; length++)
        {
            var torn = Path.Combine(_directory, "torn");
            System.IO.File.WriteAllBytes(torn, whole[..(int)length]);
            Assert.Equal(3, Read(torn).Count);
        }
    }

    [Fact]
    public void A_bit_that_flipped_anywhere_costs_its_frame_alone_and_is_never_taken_for_a_record()
    {
        var random = new Random(3);
        var id = 0UL;
        var first = 0L;
        using (var writer = new LogWriter(File, 1, RandomAccess.FlushToDisk))
        {
            writer.Add(StoreRecords.Batch(random, ref id, Start, 2));
            first = writer.Length;
            writer.Add(StoreRecords.Batch(random, ref id, Start, 2));
        }

        var whole = System.IO.File.ReadAllBytes(File);
        var expected = Read(File).Select(StoreRecords.Text).ToList();
        for (var i = 0; i < whole.Length; i += 3)
        {
            var flipped = Path.Combine(_directory, "flipped");
            var bytes = whole.ToArray();
            bytes[i] ^= (byte)(1 << random.Next(8));
            System.IO.File.WriteAllBytes(flipped, bytes);
            Assert.Equal(i < first ? expected.Skip(2) : expected.Take(2), Read(flipped).Select(StoreRecords.Text));
        }
    }

    [Fact]
    public void Bytes_that_nobody_wrote_are_refused_and_nothing_worse()
    {
        var random = new Random(4);
        var texts = new TextPool();
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(300)];
            random.NextBytes(bytes);
            try
            {
                var source = new ByteSource(bytes, texts);
                RecordCodec.Read(ref source);
            }
            catch (InvalidDataException)
            {
                continue;
            }
        }
    }

    private static List<ExchangeRecord> Read(string path)
    {
        using var reader = new LogReader(path);
        var records = new List<ExchangeRecord>();
        while (reader.Next() is { } frame)
        {
            records.AddRange(frame);
        }

        return records;
    }
}
