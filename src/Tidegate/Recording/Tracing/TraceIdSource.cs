namespace Tidegate.Recording.Tracing;

/// <summary>
/// Random numbers for trace and span ids, from any thread without a lock: the generator SplitMix64, whose state is a counter. Ids must
/// not collide; they need not be hard to guess, so the system's generator, a call into the kernel each time, is asked only for the seed.
/// </summary>
internal sealed class TraceIdSource(ulong seed)
{
    private ulong _state = seed;

    /// <summary>The next number; never 0, which means "none" in every id.</summary>
    public ulong Next()
    {
        while (true)
        {
            var z = Interlocked.Add(ref _state, 0x9E3779B97F4A7C15);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            if (z != 0)
            {
                return z;
            }
        }
    }
}
