using System.Runtime;

namespace Tidegate.Host.Warming;

/// <summary>
/// Drives a gateway of its own (edge, routing, policies, forwarder, relay, records) over loopback before the real one listens, until the runtime has compiled well what
/// an exchange runs through, so that the first client meets fast code. Nothing of it is shared with the real gateway but that code.
/// </summary>
internal static class WarmUp
{
    /// <summary>The environment variable: <c>off</c> does without. See docs/reference/performance.md.</summary>
    public const string Variable = "TIDEGATE_WARM_UP";

    // With what the process needs anyway, start to ready stays below 1.5 s.
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(900);

    // The runtime looks for what is called often 10 ms after something was last called for the first time, and 100 ms on one processor: when nothing was compiled for longer, nothing is about to be.
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(Environment.ProcessorCount == 1 ? 160 : 70);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    // Together more than the 30 calls after which a method is worth compiling well. More would only keep the cores from compiling.
    private const int Clients = 2;
    private const int TimesEach = 20;

    // One to meet every method, one to be counted in, one to see that nothing follows.
    private const int LeastRounds = 3;

    // What the looking itself brings.
    private const int Few = 5;

    /// <summary>Warms up, unless the environment says not to.</summary>
    /// <param name="choice">What <see cref="Variable"/> says.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Takes one line.</param>
    /// <param name="cancellationToken">The start was given up.</param>
    public static Task RunAsync(string? choice, TimeProvider time, Action<string> log, CancellationToken cancellationToken) =>
        choice == "off" ? Task.CompletedTask : GuardAsync(DriveAsync, time, log, cancellationToken);

    /// <summary>Never fails but by cancellation: a gateway that starts cold is better than none.</summary>
    internal static async Task GuardAsync(Func<TimeProvider, CancellationToken, Task<WarmUpResult>> drive, TimeProvider time, Action<string> log, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        try
        {
            var result = await drive(time, cancellationToken);
            log($"Warm-up: {result.Exchanges} exchanges in {time.GetElapsedTime(began).TotalMilliseconds:0} ms{(result.HasSettled ? "" : ", time was up before the code had settled")}.");
        }
        catch (Exception failed) when (!cancellationToken.IsCancellationRequested)
        {
            log($"Warm-up failed after {time.GetElapsedTime(began).TotalMilliseconds:0} ms, so the first requests will be slower: {failed.Message}");
        }
    }

    private static async Task<WarmUpResult> DriveAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        using var timeIsUp = new CancellationTokenSource(Limit, time);
        using var upstream = new WarmUpUpstream();
        await using var gateway = await WarmUpGateway.StartAsync(upstream.Port, time, cancellationToken);
        var clients = Enumerable.Range(0, Clients).Select(_ => new WarmUpClient(gateway.Ingress, gateway.Egress)).ToArray();
        var exchanges = 0;
        for (var rounds = 1; ; rounds++)
        {
            // In rounds, with a pause behind each: while exchanges run, they and the compiler take the cores from each other.
            var before = JitInfo.GetCompiledMethodCount();
            var round = await Task.WhenAll(clients.Select(client => Task.Factory.StartNew(
                () => client.Run(TimesEach, timeIsUp.Token), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            exchanges += round.Sum();
            var isQuiet = await QuietAsync(time, timeIsUp.Token, cancellationToken);
            if (!isQuiet || (rounds >= LeastRounds && JitInfo.GetCompiledMethodCount() - before <= Few))
            {
                return new WarmUpResult(exchanges, isQuiet);
            }
        }
    }

    /// <summary>Waits until nothing has been compiled for a while. False when the time is up.</summary>
    private static async Task<bool> QuietAsync(TimeProvider time, CancellationToken timeIsUp, CancellationToken cancellationToken)
    {
        var (compiled, since) = (JitInfo.GetCompiledMethodCount(), time.GetTimestamp());
        while (time.GetElapsedTime(since) < Quiet)
        {
            if (timeIsUp.IsCancellationRequested)
            {
                return false;
            }

            await Task.Delay(Look, time, cancellationToken);
            if (JitInfo.GetCompiledMethodCount() is var now && now != compiled)
            {
                (compiled, since) = (now, time.GetTimestamp());
            }
        }

        return true;
    }
}

/// <summary>What came of it.</summary>
/// <param name="Exchanges">How many were driven.</param>
/// <param name="HasSettled">The runtime had nothing left to compile.</param>
internal sealed record WarmUpResult(int Exchanges, bool HasSettled);
