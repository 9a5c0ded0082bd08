using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// Knows what was purged, and when, without looking at what is stored. Time is counted in epochs, one for each purge; an answer whose request was sent before
/// the purge of its URL, tag, API or partition is not used, and so neither is one that was on its way at that moment.
/// </summary>
/// <remarks>
/// The latest epoch of each name is in two of a fixed number of places. Where two names meet in both, one purge counts for both: an answer too many is asked
/// for, and none is used that was purged.
/// </remarks>
internal sealed class PurgeEpochs(EpochMemory memory)
{
    /// <summary>Counts up with every purge.</summary>
    public long Current => Volatile.Read(ref memory.Current);

    /// <summary>Whatever has this name and was asked for before now is purged.</summary>
    /// <param name="name">A hash of a URL, tag, API or partition.</param>
    /// <param name="isSoft">It becomes stale, instead of being gone.</param>
    /// <returns>The epoch of the purge.</returns>
    public long Purge(ulong name, bool isSoft = false)
    {
        lock (memory.Gate)
        {
            var epoch = Interlocked.Increment(ref memory.Current);
            var places = memory.PlacesToWrite(isSoft);
            Volatile.Write(ref places[First(name, places.Length)], epoch);
            Volatile.Write(ref places[Second(name, places.Length)], epoch);

            // Whoever saw the epoch before its places were written looks once more.
            Interlocked.Increment(ref memory.Current);
            return epoch;
        }
    }

    /// <summary>The same, except for one answer that the purge is not for, because what changed is in it already.</summary>
    /// <param name="name">A hash of its URL.</param>
    /// <param name="answer">Not stored yet.</param>
    /// <param name="key">Its key.</param>
    /// <param name="target">What it is the answer of.</param>
    /// <param name="now">The timestamp.</param>
    /// <returns>False when it was purged itself, for whatever reason, since it was asked for.</returns>
    public bool PurgeOthers(ulong name, StoredAnswer answer, in CacheKey key, ExchangeTarget target, long now)
    {
        // In one step: what is purged before it is seen here, and what is purged after it has a later epoch.
        lock (memory.Gate)
        {
            var isGood = !IsPurged(answer, key, target, now) && !answer.IsSoftPurged;
            var epoch = Purge(name);
            if (isGood)
            {
                answer.Epoch = epoch;
            }

            return isGood;
        }
    }

    /// <summary>The same for every URL that begins so.</summary>
    /// <param name="prefix">Host, port unless it is the scheme's own, and the beginning of the path.</param>
    /// <param name="isSoft">They become stale, instead of being gone.</param>
    public void PurgePrefix(string prefix, bool isSoft) => memory.AddPrefix(prefix, isSoft);

    /// <summary>Whether a stored answer is gone. Marks one that is only stale.</summary>
    /// <param name="answer">Stored.</param>
    /// <param name="key">Its key.</param>
    /// <param name="target">What it is the answer of.</param>
    /// <param name="now">The timestamp.</param>
    public bool IsPurged(StoredAnswer answer, in CacheKey key, ExchangeTarget target, long now)
    {
        var current = Current;
        if (answer.CheckedEpoch == current)
        {
            if (!answer.IsSoftPurged)
            {
                answer.SeenGood = now;
            }

            return false;
        }

        if (answer.Epoch < Volatile.Read(ref memory.Floor) || IsNamed(memory.Places(isSoft: false), answer, key) || MatchesPrefix(answer, target, isSoft: false))
        {
            return true;
        }

        if (IsNamed(memory.Places(isSoft: true), answer, key) || MatchesPrefix(answer, target, isSoft: true))
        {
            answer.IsSoftPurged = true;
        }

        if (!answer.IsSoftPurged)
        {
            answer.SeenGood = now;
        }

        answer.CheckedEpoch = current;
        return false;
    }

    private static bool IsNamed(Span<long> places, StoredAnswer answer, in CacheKey key)
    {
        if (places.IsEmpty)
        {
            return false;
        }

        if (IsAfter(places, key.Url, answer.Epoch) || IsAfter(places, key.Api, answer.Epoch) || IsAfter(places, key.Partition, answer.Epoch)
            || IsAfter(places, CacheKey.OfAnswer(answer), answer.Epoch))
        {
            return true;
        }

        foreach (var tag in answer.Tags)
        {
            if (IsAfter(places, tag, answer.Epoch))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsAfter(Span<long> places, ulong name, long epoch) =>
        Volatile.Read(ref places[First(name, places.Length)]) > epoch && Volatile.Read(ref places[Second(name, places.Length)]) > epoch;

    private bool MatchesPrefix(StoredAnswer answer, ExchangeTarget target, bool isSoft)
    {
        var prefixes = memory.Prefixes;
        if (prefixes.Length == 0)
        {
            return false;
        }

        var url = target.Authority + target.PathAndQuery;
        foreach (var prefix in prefixes)
        {
            if (prefix.IsSoft == isSoft && prefix.Epoch > answer.Epoch && url.StartsWith(prefix.Text, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static int First(ulong name, int length) => (int)(name & (ulong)((length / 2) - 1));

    private static int Second(ulong name, int length) => (length / 2) + (int)((name >> 32) & (ulong)((length / 2) - 1));
}
