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

    /// <summary>Observe mode: the destination asked for a pause and would have been left out for it.</summary>
    public const string WouldSetAside = "destination_set_aside";

    /// <summary>All destinations have asked for a pause.</summary>
    public const string WouldRefuse = "destinations_set_aside";

    /// <summary>The name under which it decides.</summary>
    public const string Policy = "ejection";

    private readonly ConcurrentDictionary<string, Turn> _turns = new();
    private readonly ConcurrentDictionary<(string Upstream, Destination Destination), DestinationHealth> _health = new();

    /// <summary>Every destination that is one of several.</summary>
    public IEnumerable<(string Upstream, Destination Destination, DestinationHealth Health)> All => _health.Select(entry => (entry.Key.Upstream, entry.Key.Destination, entry.Value));

    /// <summary>The destination for the exchange's next attempt.</summary>
    /// <param name="exchange">Whose.</param>
    /// <param name="upstream">With several destinations.</param>
    /// <param name="without">Those that have no room for it, as bits.</param>
    /// <param name="wait">When there is none: until the first of the others may be called again; <see cref="TimeSpan.MaxValue"/> when there are no others.</param>
    /// <returns>To be given back with the result; null when all others have asked for a pause.</returns>
    public DestinationPass? Choose(Exchange exchange, Upstream upstream, ulong without, out TimeSpan wait)
    {
        wait = default;
        var count = upstream.Destinations.Count;
        var first = exchange.DestinationIndex >= 0 ? After(exchange, upstream)
            : upstream.Balance == Balance.Ordered ? 0
            : (int)((uint)Interlocked.Increment(ref _turns.GetOrAdd(upstream.Name, static _ => new Turn()).Last) % (uint)count);
        var now = time.GetTimestamp();
        var (behind, soonest) = (-1, long.MaxValue);
        for (var i = 0; i < count; i++)
        {
            var index = first + i < count ? first + i : first + i - count;
            if ((without & (1UL << index)) != 0)
            {
                continue;
            }

            var health = HealthOf(upstream, index);
            if (upstream.Ejection.IsObserved)
            {
                behind = behind < 0 ? index : behind;
                if (!health.IsLeftOut(now))
                {
                    return Watch(exchange, upstream, behind, index == behind ? "" : WouldPassOver);
                }
            }
            else if (health.TryEnter(index, now, out var pass))
            {
                return Chosen(exchange, pass);
            }
            else if (health.AskedUntil <= now)
            {
                behind = behind < 0 ? index : behind;
                continue;
            }

            soonest = Math.Min(soonest, health.AskedUntil);
        }

        if (upstream.Ejection.IsObserved && behind >= 0)
        {
            return Watch(exchange, upstream, behind, soonest > now ? WouldRefuse : "");
        }

        // None answers, and has not asked for a pause either: one of them may be the first to be back.
        if (behind >= 0 && without == 0)
        {
            return Chosen(exchange, HealthOf(upstream, behind).Enter(behind));
        }

        wait = soonest == long.MaxValue ? TimeSpan.MaxValue : TimeSpan.FromSeconds((soonest - now) / (double)time.TimestampFrequency);
        return null;
    }

    /// <summary>This one, whatever is known of it: it is back before the others.</summary>
    public DestinationPass Take(Exchange exchange, Upstream upstream, int index) => Chosen(exchange, HealthOf(upstream, index).Enter(index));

    /// <summary>Whether an attempt could be made elsewhere.</summary>
    /// <param name="upstream">With several destinations.</param>
    /// <param name="without">Those that do not count, as bits.</param>
    public bool HasRoom(Upstream upstream, ulong without)
    {
        var now = time.GetTimestamp();
        for (var i = 0; i < upstream.Destinations.Count; i++)
        {
            if ((without & (1UL << i)) == 0 && (upstream.Ejection.IsObserved || HealthOf(upstream, i).HasRoom(now)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether what fails at this one is held back already: it is left out, or one attempt at a time finds out whether it is back.</summary>
    public bool IsLeftOut(Upstream upstream, int index)
    {
        var (health, now) = (HealthOf(upstream, index), time.GetTimestamp());
        return health.IsLeftOut(now) || health.IsOnTrial(now);
    }

    /// <summary>An attempt was not made, or ended without saying anything about its destination.</summary>
    public void Abandon(Upstream upstream, DestinationPass pass) => HealthOf(upstream, pass.Index).Abandoned(pass);

    /// <summary>Notes how an attempt ended, as far as its head.</summary>
    public void Note(Exchange exchange, Upstream upstream, DestinationPass pass)
    {
        var health = HealthOf(upstream, pass.Index);
        if (exchange.Outcome == Outcome.Rejected || exchange.Failure is { Source: not FailureSource.Upstream })
        {
            health.Abandoned(pass);
        }
        else if (IsDown(exchange))
        {
            if (health.Failed(upstream.Ejection, pass, time.GetTimestamp()) && upstream.Ejection.IsObserved)
            {
                exchange.Observe(Policy, WouldEject);
            }

            NoteTried(exchange, upstream, 1UL << pass.Index);
        }
        else
        {
            health.Succeeded(upstream.Ejection, pass, time.GetTimestamp());
        }
    }

    /// <summary>Nobody is there to answer, or says that it cannot serve.</summary>
    public static bool IsDown(Exchange exchange) => exchange.Failure?.Source == FailureSource.Upstream || (exchange.Failure is null && exchange.ResponseStatus is 502 or 503 or 504);

    /// <summary>Destinations asked for a pause.</summary>
    /// <param name="exchange">In whose answer.</param>
    /// <param name="upstream">Of which.</param>
    /// <param name="destinations">As bits.</param>
    /// <param name="pause">How long.</param>
    public void SetAside(Exchange exchange, Upstream upstream, ulong destinations, TimeSpan pause)
    {
        var now = time.GetTimestamp();
        var isNew = false;
        for (var i = 0; i < upstream.Destinations.Count; i++)
        {
            isNew |= (destinations & (1UL << i)) != 0 && HealthOf(upstream, i).Ask(pause, now);
        }

        if (isNew && upstream.Ejection.IsObserved)
        {
            exchange.Observe(Policy, WouldSetAside);
        }
    }

    /// <summary>A further attempt need not wait until these are back when it would find a destination that has not had this exchange yet.</summary>
    public void NoteTried(Exchange exchange, Upstream upstream, ulong destinations)
    {
        exchange.TriedDestinations |= destinations;
        exchange.HasOtherDestination = HasRoom(upstream, exchange.TriedDestinations);
    }

    private static DestinationPass Chosen(Exchange exchange, DestinationPass pass)
    {
        exchange.DestinationIndex = pass.Index;
        return pass;
    }

    private DestinationPass Watch(Exchange exchange, Upstream upstream, int index, string code)
    {
        if (code.Length > 0)
        {
            exchange.Observe(Policy, code);
        }

        return Take(exchange, upstream, index);
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

    /// <summary>What is known of a destination.</summary>
    public DestinationHealth HealthOf(Upstream upstream, int index) => upstream.Pools.Health[index] ?? FindHealth(upstream, index);

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
