using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>What an entry costs. Nothing else may allocate meanwhile.</summary>
[Collection(nameof(StoreMemoryTests))]
[CollectionDefinition(nameof(StoreMemoryTests), DisableParallelization = true)]
public sealed class StoreMemoryTests
{
    // A million where there is time: the same, and a second of work becomes six.
    private static readonly int Entries = Environment.GetEnvironmentVariable("TIDEGATE_LONG_TESTS") == "1" ? 1_000_000 : 100_000;

    [Fact]
    public void An_entry_takes_at_most_225_bytes_beside_its_fields_and_content()
    {
        var fields = new HeaderList();
        fields.Add("Date", "Wed, 25 Nov 2026 10:00:00 GMT");
        fields.Add("Content-Type", "application/json");
        fields.Add("Cache-Control", "max-age=60");
        var settings = new CacheSettings { Api = "api", Partition = CachePartition.None };
        var target = CacheBench.Request().Target;
        var terms = AnswerTerms.Read(settings, 200, fields, default, TimeSpan.Zero, TimeProvider.System.GetUtcNow());
        long data = 0;
        var (cache, taken) = RetainedMemory.Measure(Fill, (cache, bytes) => IsWithinBound(bytes) && IsCounted(cache, bytes));
        Assert.Equal(Entries, cache.Store.Count);
        Assert.True(IsWithinBound(taken), $"{BytesBeside(taken)} bytes");

        // What the bound counts is what there is.
        Assert.True(IsCounted(cache, taken), $"counted {cache.Store.Bytes}, taken {taken}");

        double BytesBeside(long bytes) => (double)(bytes - data) / Entries;

        bool IsWithinBound(long bytes) => BytesBeside(bytes) is >= 150 and <= 225;

        static bool IsCounted(HttpCache cache, long bytes) => cache.Store.Bytes >= bytes * 0.99 && cache.Store.Bytes <= bytes * 1.05;

        HttpCache Fill()
        {
            var cache = new HttpCache(TimeProvider.System);
            cache.Store.MaxBytes = long.MaxValue;
            data = 0;
            for (var i = 0; i < Entries; i++)
            {
                data += Put(cache, i, length: i % 2 == 0 ? 40 : null);
            }

            return cache;
        }

        long Put(HttpCache cache, int i, long? length)
        {
            var key = default(CacheKey) with { Value = StoreTests.Key(i) };
            var answer = AnswerMaker.TryMake(cache, settings, key, [], target, 200, fields, new StoredContent(cache.Store, key.Value, length), default, terms, 0, 0, out _)!;
            Assert.True(answer.Content.TryReserve(40));
            answer.Content.Append(new byte[40]);
            cache.Keep(answer, null, answer.Content.Complete());
            return answer.Head.Length + 40;
        }
    }
}
