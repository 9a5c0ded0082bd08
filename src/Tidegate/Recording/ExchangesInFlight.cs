using System.Numerics;
using System.Runtime.InteropServices;
using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>
/// Counts exchanges that have begun and not ended. Each core has its own place, so that traffic never waits for a cache line of another
/// core; an exchange that ends on another core leaves a negative place behind, and only the sum means something.
/// </summary>
internal sealed class ExchangesInFlight
{
    private readonly Place[] _places = new Place[BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount)];

    public void Enter(Direction direction) => Interlocked.Increment(ref Of(direction));

    public void Leave(Direction direction) => Interlocked.Decrement(ref Of(direction));

    /// <summary>How many there are now.</summary>
    public long Count(Direction direction)
    {
        var sum = 0L;
        foreach (ref var place in _places.AsSpan())
        {
            sum += Interlocked.Read(ref direction == Direction.Egress ? ref place.Egress : ref place.Ingress);
        }

        // Read one after the other while exchanges move between places.
        return Math.Max(0, sum);
    }

    private ref long Of(Direction direction)
    {
        ref var place = ref _places[Thread.GetCurrentProcessorId() & (_places.Length - 1)];
        return ref direction == Direction.Egress ? ref place.Egress : ref place.Ingress;
    }

    // Two cache lines: the prefetcher of current cores fetches them in pairs.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Place
    {
        [FieldOffset(0)]
        public long Egress;

        [FieldOffset(8)]
        public long Ingress;
    }
}
