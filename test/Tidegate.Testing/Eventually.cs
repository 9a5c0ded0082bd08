namespace Tidegate.Testing;

/// <summary>Waits for what another thread, or another process, is about to do: by looking, and longer than a busy machine takes.</summary>
public static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Waits until it holds.</summary>
    /// <param name="condition">Looked at again and again.</param>
    /// <param name="otherwise">What to say when it never does.</param>
    /// <param name="cancellation">The test's.</param>
    /// <exception cref="TimeoutException">It did not come to hold.</exception>
    public static Task HoldsAsync(Func<bool> condition, string otherwise, CancellationToken cancellation) => HoldsAsync(() => Task.FromResult(condition()), otherwise, cancellation);

    /// <inheritdoc cref="HoldsAsync(Func{bool}, string, CancellationToken)"/>
    public static async Task HoldsAsync(Func<Task<bool>> condition, string otherwise, CancellationToken cancellation)
    {
        for (var began = TimeProvider.System.GetTimestamp(); !await condition(); await Task.Delay(5, cancellation))
        {
            if (TimeProvider.System.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException(otherwise);
            }
        }
    }
}
