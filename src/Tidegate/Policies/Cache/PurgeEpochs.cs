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
internal sealed class PurgeEpochs
{
    // 2 MB each for invalidations and hard purges: at a thousand POSTs to different URLs in each second, a bystander is invalidated after some five minutes.
    private const int Places = 128 * 1024;
    private const int SoftPlaces = 16 * 1024;

    // An operator purges a few. The oldest is dropped for everything that is older than it, so that none is forgotten.
    private const int MaxPrefixes = 256;

    // Made by the first purge: most gateways never see one.
    private long[]? _hard;
    private long[]? _soft;
    private readonly Lock _gate = new();
    private Prefix[] _prefixes = [];
    private long _current;
    private long _floor;

    /// <summary>Counts up with every purge.</summary>
    public long Current => Volatile.Read(ref _current);

    /// <summary>Whatever has this name and was asked for before now is purged.</summary>
    /// <param name="name">A hash of a URL, tag, API or partition.</param>
    /// <param name="isSoft">It becomes stale, instead of being gone.</param>
    /// <returns>The epoch of the purge.</returns>
    public long Purge(ulong name, bool isSoft = false)
    {
        var epoch = Interlocked.Increment(ref _current);
        var places = isSoft ? LazyInitializer.EnsureInitialized(ref _soft, static () => new long[SoftPlaces * 2]) : LazyInitializer.EnsureInitialized(ref _hard, static () => new long[Places * 2]);
        Raise(ref places[First(name, places.Length)], epoch);
        Raise(ref places[Second(name, places.Length)], epoch);

        // Whoever saw the epoch before its places were written looks once more.
        Interlocked.Increment(ref _current);
        return epoch;
    }

    /// <summary>The same for every URL that begins so.</summary>
    /// <param name="prefix">Host, port unless it is the scheme's own, and the beginning of the path.</param>
    /// <param name="isSoft">They become stale, instead of being gone.</param>
    public void PurgePrefix(string prefix, bool isSoft)
    {
        lock (_gate)
        {
            var epoch = Interlocked.Increment(ref _current);
            if (_prefixes.Length == MaxPrefixes)
            {
                Volatile.Write(ref _floor, _prefixes[0].Epoch);
                _prefixes = _prefixes[1..];
            }

            Volatile.Write(ref _prefixes, [.. _prefixes, new Prefix(prefix, epoch, isSoft)]);
            Interlocked.Increment(ref _current);
        }
    }

    /// <summary>Whether a stored answer is gone. Marks one that is only stale.</summary>
    /// <param name="answer">Stored.</param>
    /// <param name="target">What it is the answer of.</param>
    /// <param name="now">The timestamp.</param>
    public bool IsPurged(StoredAnswer answer, ExchangeTarget target, long now)
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

        if (answer.Epoch < Volatile.Read(ref _floor) || IsNamed(Volatile.Read(ref _hard), answer) || MatchesPrefix(answer, target, isSoft: false))
        {
            return true;
        }

        if (IsNamed(Volatile.Read(ref _soft), answer) || MatchesPrefix(answer, target, isSoft: true))
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

    private static bool IsNamed(long[]? places, StoredAnswer answer)
    {
        if (places is null)
        {
            return false;
        }

        if (IsAfter(places, answer.Url, answer.Epoch) || IsAfter(places, answer.Api, answer.Epoch) || IsAfter(places, answer.Partition, answer.Epoch))
        {
            return true;
        }

        foreach (var tag in answer.Tags ?? [])
        {
            if (IsAfter(places, tag, answer.Epoch))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsAfter(long[] places, ulong name, long epoch) =>
        Volatile.Read(ref places[First(name, places.Length)]) > epoch && Volatile.Read(ref places[Second(name, places.Length)]) > epoch;

    private bool MatchesPrefix(StoredAnswer answer, ExchangeTarget target, bool isSoft)
    {
        var prefixes = Volatile.Read(ref _prefixes);
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

    private static void Raise(ref long place, long epoch)
    {
        var seen = Volatile.Read(ref place);
        while (seen < epoch)
        {
            var found = Interlocked.CompareExchange(ref place, epoch, seen);
            if (found == seen)
            {
                return;
            }

            seen = found;
        }
    }

    private sealed record Prefix(string Text, long Epoch, bool IsSoft);
}
