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
        var key = default(CacheKey);
        var cache = new HttpCache(TimeProvider.System);
        var settings = new CacheSettings { Api = "api", Partition = CachePartition.None };
        var target = CacheBench.Request().Target;
        var terms = AnswerTerms.Read(settings, 200, fields, default, TimeSpan.Zero, TimeProvider.System.GetUtcNow());
        cache.Store.MaxBytes = long.MaxValue;
        Put(0, length: 40);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        long data = 0;
        for (var i = 1; i <= Entries; i++)
        {
            data += Put(i, length: i % 2 == 0 ? 40 : null);
        }

        var taken = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.Equal(Entries + 1, cache.Store.Count);
        Assert.InRange((double)(taken - data) / Entries, 150, 225);

        // What the bound counts is what there is.
        Assert.InRange(cache.Store.Bytes, taken * 0.99, taken * 1.05);

        long Put(int i, long? length)
        {
            key = key with { Value = StoreTests.Key(i) };
            var answer = AnswerMaker.TryMake(cache, settings, key, [], target, 200, fields, new StoredContent(cache.Store, key.Value, length), default, terms, 0, 0, out _)!;
            Assert.True(answer.Content.TryReserve(40));
            answer.Content.Append(new byte[40]);
            cache.Keep(answer, null, answer.Content.Complete());
            return answer.Head.Length + 40;
        }
    }
}
