using Tidegate.Benchmarks.Allocations;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>What is kept, what goes, and what was purged.</summary>
public sealed class StoreTests
{
    [Fact]
    public async Task The_store_is_never_above_its_bound()
    {
        var bench = new CacheBench { Cache = { Store = { MaxBytes = 200_000 } } };
        var random = new Random(1);
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=600", new string('x', random.Next(0, 20_000)));
        for (var i = 0; i < 2000; i++)
        {
            await bench.CallAsync(path: "/" + random.Next(500));
            Assert.InRange(bench.Cache.Store.Bytes, 0, 200_000);
        }

        Assert.InRange(bench.Cache.Store.Count, 5, 200);
        Assert.True(bench.Cache.Store.Evictions > 100);
    }

    [Fact]
    public async Task An_answer_larger_than_the_store_is_passed_on_and_takes_nothing_away()
    {
        var bench = new CacheBench { Cache = { Store = { MaxBytes = 50_000 } } };
        await bench.CallAsync();
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=600", new string('x', 100_000));
        Assert.Equal(100_000, (await bench.CallAsync(path: "/large")).Content.Length);
        Assert.InRange(bench.Cache.Store.Bytes, 0, 50_000);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_leaves_the_store_while_it_is_read_counts_until_it_has_been_read(bool beganBeforeItWasStored)
    {
        var bench = new CacheBench { Cache = { Store = { MaxBytes = 100_000 } } };
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=600", new string('x', 40_000));
        if (!beganBeforeItWasStored)
        {
            await bench.CallAsync();
        }

        Exchange[] readers = [CacheBench.Request(), CacheBench.Request()];
        foreach (var reader in readers)
        {
            await bench.Policy.InvokeAsync(reader, asked => new ValueTask(bench.Upstream(asked)));
        }

        bench.Cache.Store.Drop(bench.Cache.Store.Find(CacheKey.Of(readers[0], bench.Policy.Settings, CacheKeyParts.Of(bench.Policy.Settings, bench.Cache.Secret))!.Value.Value, new HeaderList(), out _)!);
        Assert.Equal((0, 40_000L), (bench.Cache.Store.Count, bench.Cache.Store.Bytes));
        Assert.Equal(40_000, (await CacheBench.ReadAsync(readers[0])).Content.Length);
        Assert.Equal(40_000, bench.Cache.Store.Bytes);
        Assert.Equal(40_000, (await CacheBench.ReadAsync(readers[1])).Content.Length);
        Assert.Equal(0, bench.Cache.Store.Bytes);
    }

    [Fact]
    public void A_scan_leaves_what_is_used_often_alone()
    {
        var store = new AnswerStore { MaxBytes = 1_000_000 };
        var request = new HeaderList();
        UInt128[] hot = [.. Enumerable.Range(0, 400).Select(i => Key(i))];
        foreach (var key in hot)
        {
            store.Put(Answer(key), null, 0);
        }

        foreach (var key in hot)
        {
            store.Find(key, request, out _);
        }

        for (var i = 0; i < 20_000; i++)
        {
            store.Put(Answer(Key(1_000_000 + i)), null, 0);
            store.Find(hot[i % hot.Length], request, out _);
        }

        Assert.InRange(hot.Count(key => store.Find(key, request, out _) is not null), 380, 400);
        Assert.InRange(store.Bytes, 0, 1_000_000);
    }

    [Fact]
    public void Variants_of_one_url_are_bounded_and_the_newest_stay()
    {
        var store = new AnswerStore();
        for (var i = 0; i < 100; i++)
        {
            var request = new HeaderList();
            request.Add("Foo", i.ToString(System.Globalization.CultureInfo.InvariantCulture));
            var vary = new HeaderList();
            vary.Add("Vary", "Foo");
            Assert.True(VaryKey.TryMake(vary, request, out var key));
            store.Put(Answer(1, key), null, 0);
            Assert.NotNull(store.Find(1, request, out _));
        }

        Assert.Equal(32, store.Count);
    }

    [Theory]
    [InlineData("url", false)]
    [InlineData("prefix", false)]
    [InlineData("tag", false)]
    [InlineData("api", false)]
    [InlineData("all", false)]
    [InlineData("url", true)]
    [InlineData("prefix", true)]
    [InlineData("tag", true)]
    [InlineData("api", true)]
    [InlineData("all", true)]
    public async Task A_purge_reaches_what_it_names_and_a_soft_one_leaves_it_to_be_validated(string kind, bool isSoft)
    {
        var bench = new CacheBench();
        bench.Upstream = asked => CacheBench.Answer(asked, asked.RequestHeaders.Contains(KnownHeader.IfNoneMatch) ? 304 : 200, $"Cache-Control: max-age=600\nETag: \"v1\"\nSurrogate-Key: {(asked.Target.Path == "/products/1" ? "red blue" : "green")}");
        await bench.CallAsync(path: "/products/1");
        await bench.CallAsync(path: "/users/1");
        switch (kind)
        {
            case "url":
                bench.Cache.PurgeUrl("api.test/products/1", isSoft);
                break;
            case "prefix":
                bench.Cache.PurgePrefix("api.test/products/", isSoft);
                break;
            case "tag":
                bench.Cache.PurgeTag("other", "blue", isSoft);
                Assert.True((await bench.CallAsync(path: "/products/1")).IsFromStore);
                bench.Cache.PurgeTag("api", "blue", isSoft);
                break;
            case "api":
                bench.Cache.PurgeApi("other", isSoft);
                Assert.True((await bench.CallAsync(path: "/products/1")).IsFromStore);
                bench.Cache.PurgeApi("api", isSoft);
                break;
            default:
                bench.Cache.PurgeAll(isSoft);
                break;
        }

        var asked = bench.Asked.Count;
        var after = await bench.CallAsync(path: "/products/1");
        Assert.Equal(asked + 1, bench.Asked.Count);
        Assert.Equal(isSoft ? CacheResult.HitValidated : CacheResult.Miss, after.Cache);
        Assert.Equal(CacheResult.Hit, (await bench.CallAsync(path: "/products/1")).Cache);
        Assert.Equal(kind is not ("api" or "all"), (await bench.CallAsync(path: "/users/1")).Cache == CacheResult.Hit);
    }

    [Fact]
    public void A_cache_that_nobody_uses_takes_no_memory_worth_mentioning()
    {
        _ = new HttpCache(TimeProvider.System);
        var before = GC.GetAllocatedBytesForCurrentThread();
        _ = new HttpCache(TimeProvider.System);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
    }

    [Theory]
    [InlineData("max-age=60")]
    [InlineData("max-age=0, stale-while-revalidate=600")]
    public void A_hit_allocates_nothing(string given)
    {
        var bench = new CacheBench { Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: " + given) };
        var call = bench.CallAsync();
        Assert.True(call.IsCompletedSuccessfully);

        // A refresh is under way, so a stale hit begins none.
        var key = CacheKey.Of(CacheBench.Request(), bench.Policy.Settings, CacheKeyParts.Of(bench.Policy.Settings, bench.Cache.Secret))!.Value;
        Assert.True(bench.Cache.Flights.TryAdd(new Flight(bench.Cache, bench.Policy.Settings, CacheBench.Request(), new Wanted(key, default, null, CacheResult.Miss), null)));
        var exchange = CacheBench.Request();
        ExchangeHandler next = static _ => throw new InvalidOperationException("It was a hit before.");
        var buffer = new byte[100];
        Hit();
#if DEBUG
        const long Allowed = long.MaxValue;
#else
        const long Allowed = 0;
#endif
        Assert.InRange(AllocationMeter.Measure(Hit, Allowed, TimeSpan.FromSeconds(60)), 0, Allowed);

        void Hit()
        {
            exchange.ForgetAnswer();
            Assert.True(IsCompleted(bench.Policy.InvokeAsync(exchange, next)));
            if (Completed(exchange.ResponseBody.ReadAsync(buffer, default)) != 7 || exchange.Cache is not (CacheResult.Hit or CacheResult.HitStale))
            {
                throw new InvalidOperationException("No hit.");
            }

            Assert.True(IsCompleted(exchange.ResponseBody.DisposeAsync()));
        }

        static int Completed(ValueTask<int> read) => read.IsCompletedSuccessfully ? read.GetAwaiter().GetResult() : -1;

        static bool IsCompleted(ValueTask done) => done.IsCompletedSuccessfully;
    }

    internal static UInt128 Key(int i) => SplitMix((ulong)i);

    private static UInt128 SplitMix(ulong i)
    {
        var low = unchecked((i + 1) * 0x9E3779B97F4A7C15);
        low = unchecked((low ^ (low >> 30)) * 0xBF58476D1CE4E5B9);
        return new UInt128(low, unchecked((low ^ (low >> 27)) * 0x94D049BB133111EB));
    }

    private static StoredAnswer Answer(UInt128 key, byte[]? vary = null)
    {
        var content = new StoredContent(total: 1000);
        var block = AnswerBlock.Make([], vary, [], 1000);
        content.CopyTo(block.Bytes);
        content.Append(new byte[1000]);
        content.Complete();
        return new StoredAnswer { Key = key, Block = block, Status = 200, Content = content, Terms = default, HasOwnControl = false, Received = 0, Epoch = 0 };
    }
}
