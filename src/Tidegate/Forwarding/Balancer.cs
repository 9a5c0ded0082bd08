using System.Collections.Concurrent;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding;

/// <summary>
/// Chooses among an upstream's destinations, leaves out those that do not answer, and remembers their results. What it knows is kept by upstream name and
/// destination, so a reload does not start over.
/// </summary>
internal sealed class Balancer(TimeProvider time)
{
    /// <summary>Observe mode: after this failure the destination would have been left out.</summary>
    public const string WouldEject = "destination_ejected";

    /// <summary>Observe mode: another destination would have been asked, because this one would be left out.</summary>
    public const string WouldPassOver = "destination_passed_over";

    private const string Policy = "ejection";

    private readonly ConcurrentDictionary<string, Turn> _turns = new();
    private readonly ConcurrentDictionary<(string Upstream, Destination Destination), DestinationHealth> _health = new();

    /// <summary>Every destination that is one of several.</summary>
    public IEnumerable<(string Upstream, Destination Destination, DestinationHealth Health)> All => _health.Select(entry => (entry.Key.Upstream, entry.Key.Destination, entry.Value));

    /// <summary>The index of the destination for the exchange's next attempt.</summary>
    public int Choose(Exchange exchange, Upstream upstream)
    {
        var count = upstream.Destinations.Count;
        if (count <= 1)
        {
            return 0;
        }

        var first = exchange.DestinationIndex >= 0 ? After(exchange, upstream)
            : upstream.Balance == Balance.Ordered ? 0
            : (int)((uint)Interlocked.Increment(ref _turns.GetOrAdd(upstream.Name, static _ => new Turn()).Last) % (uint)count);
        var now = time.GetTimestamp();
        for (var i = 0; i < count; i++)
        {
            var index = first + i < count ? first + i : first + i - count;
            if (HealthOf(upstream, index).IsEjected(now))
            {
                continue;
            }

            if (index == first || !upstream.Ejection.IsObserved)
            {
                return exchange.DestinationIndex = index;
            }

            exchange.Observe(Policy, WouldPassOver);
            break;
        }

        // Nobody is left out, or none answers: one of them may be the first to be back.
        return exchange.DestinationIndex = first;
    }

    /// <summary>Notes how an attempt ended, as far as its head.</summary>
    public void Note(Exchange exchange, Upstream upstream, int index)
    {
        var health = HealthOf(upstream, index);
        if (exchange.Failure?.Source == FailureSource.Upstream || (exchange.Failure is null && exchange.ResponseStatus is 502 or 503 or 504))
        {
            var now = time.GetTimestamp();
            if (health.Failed(upstream.Ejection, now) && upstream.Ejection.IsObserved)
            {
                exchange.Observe(Policy, WouldEject);
            }

            NoteOthers(exchange, upstream, index, now);
        }
        else if (exchange.Failure is null)
        {
            health.Succeeded(upstream.Ejection);
        }
    }

    /// <summary>
    /// A further attempt goes to the next one behind the last, whoever else was served meanwhile. In order the last one has it again when it was not that destination's fault:
    /// a key or a limit that was refused there would be elsewhere too.
    /// </summary>
    private static int After(Exchange exchange, Upstream upstream)
    {
        var last = exchange.DestinationIndex;
        return upstream.Balance == Balance.Ordered && !exchange.AvoidsLastDestination && (exchange.TriedDestinations & (1UL << last)) == 0 ? last : (last + 1) % upstream.Destinations.Count;
    }

    /// <summary>Whether a further attempt would find a destination that has not had this exchange yet: it need not wait until this one is back.</summary>
    private void NoteOthers(Exchange exchange, Upstream upstream, int index, long now)
    {
        exchange.TriedDestinations |= 1UL << index;
        for (var i = 0; i < upstream.Destinations.Count; i++)
        {
            if ((exchange.TriedDestinations & (1UL << i)) == 0 && (upstream.Ejection.IsObserved || !HealthOf(upstream, i).IsEjected(now)))
            {
                exchange.HasOtherDestination = true;
                return;
            }
        }
    }

    private DestinationHealth HealthOf(Upstream upstream, int index) => upstream.Pools.Health[index] ?? FindHealth(upstream, index);

    private DestinationHealth FindHealth(Upstream upstream, int index)
    {
        var health = _health.GetOrAdd((upstream.Name, upstream.Destinations[index]), static (_, clock) => new DestinationHealth(clock), time);
        health.Region = upstream.Regions.Count == 0 ? "" : upstream.Regions[index];
        return upstream.Pools.Health[index] = health;
    }

    private sealed class Turn
    {
        public int Last = -1;
    }
}
