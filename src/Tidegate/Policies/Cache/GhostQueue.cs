namespace Tidegate.Policies.Cache;

/// <summary>
/// Which keys left the small queue of S3-FIFO a short while ago: twice as many as there are answers, because half of what leaves may be a scan's; four bytes each. A table of
/// fingerprints and of when they left; where two meet, the newer one stays.
/// </summary>
internal sealed class GhostQueue
{
    private const int MinPlaces = 64;
    private const int GhostsPerAnswer = 2;
    private const int TimesPerTable = 16;
    private const int TimeBits = 16;

    // Made by the first that leaves: a store that never fills needs none.
    private uint[] _places = [];
    private long _left;

    /// <summary>A key has left.</summary>
    /// <param name="key">The key.</param>
    /// <param name="answers">How many there are.</param>
    public void Add(UInt128 key, int answers)
    {
        if (_places.Length < answers * GhostsPerAnswer || _places.Length == 0)
        {
            // Seldom enough that what was in it does not matter.
            _places = new uint[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(MinPlaces, answers * GhostsPerAnswer))];
            _left = 0;
        }

        _left++;
        Place(key) = (Fingerprint(key) << TimeBits) | Now();
    }

    /// <summary>Whether a key left while the last so many did. It is forgotten.</summary>
    public bool Remove(UInt128 key, int answers)
    {
        if (_places.Length == 0)
        {
            return false;
        }

        ref var place = ref Place(key);
        if (place >> TimeBits != Fingerprint(key))
        {
            return false;
        }

        var isRecent = (ushort)(Now() - place) * (_places.Length / TimesPerTable) <= answers * GhostsPerAnswer;
        place = 0;
        return isRecent;
    }

    private ref uint Place(UInt128 key) => ref _places[(int)((ulong)key >> 20) & (_places.Length - 1)];

    private ushort Now() => (ushort)(_left / (_places.Length / TimesPerTable));

    // Never 0, which is an empty place.
    private static uint Fingerprint(UInt128 key) => (uint)(key >> 112) | 1;
}
