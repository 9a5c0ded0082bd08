namespace Tidegate.Tests;

/// <summary>Counts what an object holds. The heap is the whole process's: what earlier tests left behind may end, and its memory go, at any moment.</summary>
internal static class RetainedMemory
{
    private const int MaxTries = 10;

    /// <summary>
    /// The bytes by which the heap is larger while what <paramref name="build"/> makes lives. Others only disturb now and then, what it holds is the same each time: another one is made and
    /// counted until <paramref name="isExpected"/>, or the tries end, and the last count is what the test sees.
    /// </summary>
    public static (T Built, long Bytes) Measure<T>(Func<T> build, Func<T, long, bool> isExpected)
        where T : class
    {
        for (var tries = 1; ; tries++)
        {
            var before = Settled();
            var built = build();
            var bytes = Settled() - before;
            if (isExpected(built, bytes) || tries == MaxTries)
            {
                return (built, bytes);
            }
        }
    }

    // What a finalizer lets go of is only gone after another collection.
    private static long Settled()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
