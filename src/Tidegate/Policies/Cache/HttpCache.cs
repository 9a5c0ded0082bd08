using System.Security.Cryptography;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache.Disk;

namespace Tidegate.Policies.Cache;

/// <summary>What caching remembers from one configuration to the next.</summary>
internal sealed class HttpCache(TimeProvider time)
{
    public TimeProvider Time { get; } = time;

    public AnswerStore Store { get; } = new();

    public PurgeEpochs Epochs { get; private set; } = new(new EpochMemory());

    /// <summary>What is kept on disk; null when nothing is.</summary>
    public DiskTier? Disk { get; set; }

    public FlightTable Flights { get; } = new();

    public RefreshPlaces Refreshes { get; } = new();

    public UncacheableMemory Uncacheable { get; } = new(time);

    public CacheCounters Counters { get; } = new();

    /// <summary>What storing would bring where the cache only observes.</summary>
    public CacheAdvisor Advisor { get; } = new(time);

    /// <summary>Keys the hashes of this process's keys.</summary>
    public UInt128 Secret { get; private set; } = new(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))), BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))));

    /// <summary>Told of a bug that no exchange is there to hear of: in a background refresh, or while content is stored.</summary>
    public Action<Exception> OnBug { get; set; } = static _ => { };

    /// <summary>An exchange that no client asked for begins: it gets a number and its place in the trace of the one that caused it.</summary>
    public Action<Exchange> OnRefreshBegins { get; set; } = static _ => { };

    /// <summary>It is over, and recorded like any other: it may have cost something.</summary>
    public Action<Exchange> OnRefreshEnds { get; set; } = static _ => { };

    /// <summary>Keys and purges are those of a directory from now on. Before anything is stored.</summary>
    public void Use(DiskState state) => (Secret, Epochs) = (state.Secret, new PurgeEpochs(state.Epochs));

    private bool _hasParts;

    /// <summary>Stores a complete answer.</summary>
    /// <param name="answer">Complete.</param>
    /// <param name="replaced">The one that it was validated from.</param>
    /// <param name="reserved">What of its weight is reserved already.</param>
    public void Keep(StoredAnswer answer, StoredAnswer? replaced, long reserved)
    {
        answer.Pack();
        Store.Put(answer, replaced, reserved);
        Disk?.Offer(answer);
        if (_hasParts)
        {
            Store.DropSame(CacheKey.OfParts(answer.Key), answer.Vary);
        }
    }

    /// <summary>Stores parts of an answer, or all of them.</summary>
    /// <param name="answer">Whole, or known by parts.</param>
    /// <param name="replaced">Fewer parts of the same.</param>
    public void KeepParts(StoredAnswer answer, StoredAnswer? replaced)
    {
        _hasParts = true;
        if (answer.Content.Parts is null)
        {
            Keep(answer, replaced: null, reserved: 0);
        }
        else
        {
            Store.Put(answer, replaced, reserved: 0);
        }
    }

    /// <summary>Lets an answer go that was purged.</summary>
    public void Drop(StoredAnswer answer)
    {
        Store.Drop(answer);
        Disk?.Forget(answer);
    }

    /// <summary>Lets an answer go that is no more what the upstream says, also where it is on disk and the process ends now.</summary>
    public void DropUntrue(StoredAnswer answer)
    {
        Drop(answer);
        if (Disk is not null)
        {
            Epochs.Purge(CacheKey.OfAnswer(answer));
        }
    }

    /// <summary>Has an answer validated that may be no more what the upstream says, also where it comes back from the disk.</summary>
    public void Doubt(StoredAnswer answer)
    {
        if (answer.IsSoftPurged)
        {
            return;
        }

        answer.IsSoftPurged = true;
        if (Disk is not null)
        {
            Epochs.Purge(CacheKey.OfAnswer(answer), isSoft: true);
        }
    }

    /// <summary>What came before an answer in its place must not come back, wherever it is.</summary>
    public void Supersede(StoredAnswer answer)
    {
        var before = Epochs.Current;
        var purged = Epochs.Purge(CacheKey.OfAnswer(answer));
        if (purged == before + 1 && answer.Epoch == before)
        {
            // Nothing else was purged since it was asked for: it is newer than all of it.
            answer.Epoch = purged;
        }
    }

    /// <summary>What is stored of one URL, in every partition, is gone or stale; what is on its way too.</summary>
    /// <param name="url">Host, port unless it is the scheme's own, path and query.</param>
    /// <param name="isSoft">Stale instead of gone.</param>
    /// <param name="queries">What else it may be stored under.</param>
    public void PurgeUrl(string url, bool isSoft, IEnumerable<QueryRule>? queries = null)
    {
        Counters.Count(PurgeKind.Url);
        Epochs.Purge(CacheKey.OfUrl(Secret, url), isSoft);
        foreach (var query in queries ?? [])
        {
            Epochs.Purge(CacheKey.OfUrl(Secret, query.Reduce(url)), isSoft);
        }
    }

    /// <summary>The same for every URL that begins so.</summary>
    public void PurgePrefix(string prefix, bool isSoft)
    {
        Counters.Count(PurgeKind.Prefix);
        Epochs.PurgePrefix(prefix, isSoft);
    }

    /// <summary>The same for every answer of an API with that tag.</summary>
    public void PurgeTag(string api, string tag, bool isSoft)
    {
        Counters.Count(PurgeKind.Tag);
        Epochs.Purge(CacheKey.OfTag(Secret, api, tag), isSoft);
    }

    /// <summary>The same for an API.</summary>
    public void PurgeApi(string api, bool isSoft)
    {
        Counters.Count(PurgeKind.Api);
        Epochs.Purge(CacheKey.OfApi(Secret, api), isSoft);
    }

    /// <summary>The same for what is kept for one consumer.</summary>
    /// <param name="consumer">Its name; anonymous for those without one.</param>
    /// <param name="isSoft">Stale instead of gone.</param>
    public void PurgeConsumer(string consumer, bool isSoft)
    {
        Counters.Count(PurgeKind.Consumer);
        Epochs.Purge(CacheKey.OfConsumer(Secret, consumer), isSoft);
    }

    /// <summary>The same for what is kept for calls that carry a credential, alone or beside others.</summary>
    /// <param name="header">The field.</param>
    /// <param name="credential">Its value.</param>
    /// <param name="isSoft">Stale instead of gone.</param>
    /// <param name="injected">What the gateway may have put on beside it.</param>
    public void PurgeCredential(string header, string credential, bool isSoft, IEnumerable<UInt128> injected)
    {
        Counters.Count(PurgeKind.Credential);
        var (name, value) = (System.Text.Encoding.ASCII.GetBytes(header), System.Text.Encoding.Latin1.GetBytes(credential));
        Epochs.Purge(CacheKey.OfCredential(Secret, name, value), isSoft);
        foreach (var other in injected.Append(UInt128.Zero).Distinct())
        {
            Epochs.Purge(CacheKey.OfPartition(Secret, other, name, value), isSoft);
        }
    }

    /// <summary>The same for everything.</summary>
    public void PurgeAll(bool isSoft)
    {
        Counters.Count(PurgeKind.All);
        Epochs.PurgePrefix("", isSoft);
    }
}
