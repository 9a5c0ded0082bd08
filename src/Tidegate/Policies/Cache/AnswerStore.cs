using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>All stored answers, and the content that is on its way in: together never above the bound.</summary>
internal sealed class AnswerStore
{
    /// <summary>64 MB: some 20,000 answers of 3 KB, which is what one busy API's hot set is; small beside the gateway's own memory on any server.</summary>
    public const long DefaultMaxBytes = 64 << 20;

    // Enough that 16 cores seldom meet.
    private const int ShardCount = 64;

    private readonly AnswerShard[] _shards = [.. Enumerable.Range(0, ShardCount).Select(_ => new AnswerShard())];
    private long _bytes;
    private long _evictions;

    /// <summary>The bound. Lowered, it holds from the next answer on.</summary>
    public long MaxBytes { get; set; } = DefaultMaxBytes;

    /// <summary>Taken now.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public long Evictions => Interlocked.Read(ref _evictions);

    public int Count
    {
        get
        {
            var count = 0;
            foreach (var shard in _shards)
            {
                count += shard.Count;
            }

            return count;
        }
    }

    public StoredAnswer? Find(UInt128 key, HeaderList request, out bool hasOthers) => Shard(key).Find(key, request, out hasOthers);

    /// <summary>The newest answer of a key, whatever requests it is for.</summary>
    public StoredAnswer? FindAny(UInt128 key) => Shard(key).FindAny(key);

    /// <summary>Takes room for content that comes in; what is used least goes.</summary>
    /// <returns>False when there is none: everything is content that comes in.</returns>
    public bool TryReserve(UInt128 near, long bytes)
    {
        if (bytes > MaxBytes)
        {
            return false;
        }

        Interlocked.Add(ref _bytes, bytes);
        var shard = ShardIndex(near);
        for (var empty = 0; Bytes > MaxBytes && empty < ShardCount; shard++)
        {
            var freed = _shards[shard % ShardCount].Evict();
            if (freed == 0)
            {
                empty++;
            }
            else
            {
                Interlocked.Increment(ref _evictions);
                Interlocked.Add(ref _bytes, -freed);
            }
        }

        if (Bytes <= MaxBytes)
        {
            return true;
        }

        Release(bytes);
        return false;
    }

    /// <summary>Counts room that is taken in any case.</summary>
    public void Take(long bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>Gives room back.</summary>
    public void Release(long bytes) => Interlocked.Add(ref _bytes, -bytes);

    /// <summary>Stores an answer.</summary>
    /// <param name="answer">Complete.</param>
    /// <param name="replaced">The one that it was validated from.</param>
    /// <param name="reserved">What of its weight is reserved already.</param>
    public void Put(StoredAnswer answer, StoredAnswer? replaced, long reserved)
    {
        var more = answer.Bytes - reserved;
        if (more > 0 && !TryReserve(answer.Key, more))
        {
            // A validated answer's content is another answer's too.
            Release(reserved == 0 ? 0 : reserved - answer.Content.Length + answer.Content.LetGo());
            return;
        }

        if (more < 0)
        {
            Release(-more);
        }

        Release(Shard(answer.Key).Put(answer, replaced));
    }

    /// <summary>Takes an answer out.</summary>
    public void Drop(StoredAnswer answer) => Release(Shard(answer.Key).Drop(answer));

    /// <summary>Takes out what is there of a key for the same requests.</summary>
    public void DropSame(UInt128 key, ReadOnlySpan<byte> vary) => Release(Shard(key).DropSame(key, vary));

    private AnswerShard Shard(UInt128 key) => _shards[ShardIndex(key)];

    private static int ShardIndex(UInt128 key) => (int)((ulong)key & (ShardCount - 1));
}
