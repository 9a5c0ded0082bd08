using Tidegate.Exchanges;
using Tidegate.Policies.Cache;

namespace Tidegate.Benchmarks.HitRatio;

/// <summary>The share of a trace's bytes that comes out of a cache of so many bytes.</summary>
internal static class CacheModels
{
    /// <summary>The gateway's own store.</summary>
    public static double OfStore(CacheTrace trace, long capacity)
    {
        var store = new AnswerStore { MaxBytes = capacity };
        var request = new HeaderList();
        var contents = new Dictionary<int, StoredContent>();
        return Count(trace, number =>
        {
            var key = Key(number);
            if (store.Find(key, request, out _) is not null)
            {
                return true;
            }

            store.Put(Answer(key, trace.Bytes[number], contents), null, 0);
            return false;
        });
    }

    /// <summary>What was used longest ago goes.</summary>
    public static double OfLru(CacheTrace trace, long capacity)
    {
        var order = new LinkedList<int>();
        var places = new Dictionary<int, LinkedListNode<int>>();
        var taken = 0L;
        return Count(trace, number =>
        {
            if (places.TryGetValue(number, out var place))
            {
                order.Remove(place);
                order.AddLast(place);
                return true;
            }

            places[number] = order.AddLast(number);
            taken += trace.Bytes[number];
            while (taken > capacity)
            {
                taken -= trace.Bytes[order.First!.Value];
                places.Remove(order.First.Value);
                order.RemoveFirst();
            }

            return false;
        });
    }

    /// <summary>Those objects are kept for good that the whole trace asks for most: the best that a cache can do that knows how often, and not when.</summary>
    public static double OfKnownFrequencies(CacheTrace trace, long capacity)
    {
        var counts = new int[trace.Bytes.Length];
        foreach (var number in trace.Requests)
        {
            counts[number]++;
        }

        var kept = new bool[counts.Length];
        foreach (var number in Enumerable.Range(0, counts.Length).OrderByDescending(number => counts[number]))
        {
            capacity -= trace.Bytes[number];
            if (capacity < 0)
            {
                break;
            }

            kept[number] = true;
        }

        return Count(trace, number => kept[number]);
    }

    /// <summary>
    /// The offline optimum. Where all objects weigh the same it is exact (Belady, 1966: what is asked for again last goes, and what comes is not kept when it is that). Else it
    /// is an upper bound (Berger, Beckmann and Harchol-Balter, 2018, PFOO-U): a hit costs an object's bytes for as long as it must be kept since its last request, and the cheapest are
    /// taken until all the room there is, over all of the time, is spent.
    /// </summary>
    public static double OfOptimum(CacheTrace trace, long capacity) => trace.Bytes.Distinct().Count() == 1 ? Belady(trace, (int)(capacity / trace.Bytes[0])) : PackedIntervals(trace, capacity);

    private static double Belady(CacheTrace trace, int places)
    {
        var next = Next(trace);
        var kept = new Dictionary<int, int>();
        var order = new PriorityQueue<int, int>();
        var at = 0;
        return Count(trace, number =>
        {
            var again = next[at++];
            var isHit = kept.ContainsKey(number);
            kept[number] = again;
            order.Enqueue(number, -again);
            while (kept.Count > places)
            {
                order.TryDequeue(out var last, out var when);
                if (kept.TryGetValue(last, out var known) && known == -when)
                {
                    kept.Remove(last);
                }
            }

            return isHit;
        });
    }

    private static double PackedIntervals(CacheTrace trace, long capacity)
    {
        var next = Next(trace);
        var intervals = new List<(int Length, int Bytes)>();
        var all = 0L;
        for (var i = trace.Warm; i < next.Length; i++)
        {
            all += trace.Bytes[trace.Requests[i]];
        }

        for (var i = 0; i < next.Length; i++)
        {
            if (next[i] < next.Length && next[i] >= trace.Warm)
            {
                intervals.Add((next[i] - Math.Max(i, trace.Warm), trace.Bytes[trace.Requests[i]]));
            }
        }

        // A byte is worth the same wherever it is: those that are kept for the shortest time are the cheapest.
        intervals.Sort();
        var room = (double)capacity * (next.Length - trace.Warm);
        var hit = 0L;
        foreach (var (length, bytes) in intervals)
        {
            room -= (double)length * bytes;
            if (room < 0)
            {
                break;
            }

            hit += bytes;
        }

        return (double)hit / all;
    }

    /// <summary>When each request's object is asked for again; the trace's length when never.</summary>
    private static int[] Next(CacheTrace trace)
    {
        var next = new int[trace.Requests.Length];
        var last = new int[trace.Bytes.Length];
        Array.Fill(last, next.Length);
        for (var i = next.Length - 1; i >= 0; i--)
        {
            next[i] = last[trace.Requests[i]];
            last[trace.Requests[i]] = i;
        }

        return next;
    }

    private static double Count(CacheTrace trace, Func<int, bool> isHit)
    {
        var (hit, all) = (0L, 0L);
        for (var i = 0; i < trace.Requests.Length; i++)
        {
            var number = trace.Requests[i];
            var bytes = isHit(number) ? trace.Bytes[number] : 0;
            if (i >= trace.Warm)
            {
                hit += bytes;
                all += trace.Bytes[number];
            }
        }

        return (double)hit / all;
    }

    /// <summary>An answer that weighs so much. Content of the same length is the same: a trace has more than memory.</summary>
    private static StoredAnswer Answer(UInt128 key, int bytes, Dictionary<int, StoredContent> contents)
    {
        if (!contents.TryGetValue(bytes, out var content))
        {
            content = new StoredContent();
            contents[bytes] = content;
            content.Append(new byte[bytes - Overhead(bytes)]);
            content.Complete();
        }

        return new StoredAnswer { Key = key, Block = AnswerBlock.Make([], [], [], 0), Status = 200, Content = content, Terms = default, HasOwnControl = false, Received = 0, Epoch = 0 };
    }

    private static int Overhead(int bytes)
    {
        var content = new StoredContent();
        content.Append(new byte[bytes]);
        content.Complete();
        return (int)(new StoredAnswer { Key = 0, Block = AnswerBlock.Make([], [], [], 0), Status = 200, Content = content, Terms = default, HasOwnControl = false, Received = 0, Epoch = 0 }.Bytes - bytes);
    }

    private static UInt128 Key(int number)
    {
        var low = unchecked(((ulong)number + 1) * 0x9E3779B97F4A7C15);
        low = unchecked((low ^ (low >> 30)) * 0xBF58476D1CE4E5B9);
        var high = unchecked((low ^ (low >> 27)) * 0x94D049BB133111EB);
        return new UInt128(high ^ (high >> 31), low ^ (low >> 32));
    }
}
