namespace Tidegate.Policies.Cache;

/// <summary>
/// Remembers for a while which answers could not be stored, so that exchanges that ask for them do not wait for one another. A fixed table: a newer key takes an
/// older one's place, and then some exchanges wait once more.
/// </summary>
internal sealed class UncacheableMemory(TimeProvider time)
{
    // Long enough that the wait for nothing is rare, short enough that an API that begins to allow caching is cached soon.
    private const int Seconds = 60;
    private const int Places = 64 * 1024;
    private const int SecondsBits = 24;
    private const ulong SecondsMask = (1UL << SecondsBits) - 1;

    // Made by the first answer that could not be stored.
    private ulong[]? _places;
    private readonly long _start = time.GetTimestamp();

    public void Remember(UInt128 key)
    {
        var places = LazyInitializer.EnsureInitialized(ref _places, static () => new ulong[Places]);
        Volatile.Write(ref Place(places, key), (Tag(key) << SecondsBits) | ((Now() + Seconds) & SecondsMask));
    }

    public void Forget(UInt128 key)
    {
        if (Volatile.Read(ref _places) is not { } places)
        {
            return;
        }

        ref var place = ref Place(places, key);
        if (Volatile.Read(ref place) >> SecondsBits == Tag(key))
        {
            Volatile.Write(ref place, 0);
        }
    }

    public bool Contains(UInt128 key)
    {
        if (Volatile.Read(ref _places) is not { } places)
        {
            return false;
        }

        var value = Volatile.Read(ref Place(places, key));
        return value != 0 && value >> SecondsBits == Tag(key) && (((value & SecondsMask) - Now()) & SecondsMask) <= Seconds;
    }

    private static ref ulong Place(ulong[] places, UInt128 key) => ref places[(int)((ulong)key & (Places - 1))];

    private static ulong Tag(UInt128 key) => (ulong)(key >> 64) >> SecondsBits;

    private ulong Now() => (ulong)time.GetElapsedTime(_start).TotalSeconds & SecondsMask;
}
