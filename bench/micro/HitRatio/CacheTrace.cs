namespace Tidegate.Benchmarks.HitRatio;

/// <summary>Requests in their order: which object each is for, and what each object weighs. Made from a seed.</summary>
/// <param name="Requests">Numbers of objects.</param>
/// <param name="Bytes">What each object weighs.</param>
internal sealed record CacheTrace(int[] Requests, int[] Bytes)
{
    // The caches fill first.
    public int Warm => Requests.Length / 4;

    public long TotalBytes => Bytes.Sum(static bytes => (long)bytes);

    /// <summary>Each request is for the object of rank r with a probability of 1/r^skew, whatever came before.</summary>
    /// <param name="seed">For the same trace again.</param>
    /// <param name="objects">How many there are.</param>
    /// <param name="requests">How many are made.</param>
    /// <param name="skew">1 is Zipf's law; API traffic is mostly above.</param>
    /// <param name="sizes">Weights that objects have.</param>
    public static CacheTrace Zipf(int seed, int objects, int requests, double skew, int[] sizes)
    {
        var random = new Random(seed);
        var zipf = new ZipfNumbers(random, objects, skew);
        var trace = new int[requests];
        for (var i = 0; i < requests; i++)
        {
            trace[i] = zipf.Next();
        }

        return new CacheTrace(trace, Sizes(random, objects, sizes));
    }

    /// <summary>The same, and every so often somebody reads as many objects once, one after the other, that nobody asks for again: half of all requests.</summary>
    public static CacheTrace Scans(int seed, int objects, int requests, double skew, int[] sizes)
    {
        const int ScanLength = 2000;
        var random = new Random(seed);
        var zipf = new ZipfNumbers(random, objects, skew);
        var trace = new int[requests];
        var next = objects;
        for (var i = 0; i < requests; i++)
        {
            trace[i] = i / ScanLength % 2 == 0 ? zipf.Next() : next++;
        }

        return new CacheTrace(trace, Sizes(random, next, sizes));
    }

    private static int[] Sizes(Random random, int objects, int[] sizes)
    {
        var bytes = new int[objects];
        for (var i = 0; i < objects; i++)
        {
            bytes[i] = sizes[random.Next(sizes.Length)];
        }

        return bytes;
    }

    private sealed class ZipfNumbers
    {
        private readonly Random _random;
        private readonly double[] _sums;

        public ZipfNumbers(Random random, int count, double skew)
        {
            _random = random;
            _sums = new double[count];
            var sum = 0.0;
            for (var i = 0; i < count; i++)
            {
                _sums[i] = sum += Math.Pow(i + 1, -skew);
            }
        }

        public int Next()
        {
            var index = Array.BinarySearch(_sums, _random.NextDouble() * _sums[^1]);
            return index < 0 ? Math.Min(~index, _sums.Length - 1) : index;
        }
    }
}
