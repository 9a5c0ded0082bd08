using System.Runtime.CompilerServices;

namespace Tidegate.Transport;

/// <summary>
/// The one way off a reactor for work that blocks or takes long, and back: at most so many run at a time on the thread pool, at most so many more wait, and what follows
/// runs on the reactor that it came from.
/// </summary>
internal sealed class Offload(int maxConcurrent, int maxWaiting)
{
    private readonly SemaphoreSlim _places = new(maxConcurrent);
    private int _inside;
    private long _refused;

    /// <summary>Running and waiting now.</summary>
    public int Inside => Volatile.Read(ref _inside);

    /// <summary>Turned away so far because too many waited.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Runs the work on another thread.</summary>
    /// <exception cref="OffloadFullException">Too many wait; nothing was run.</exception>
    public async ValueTask<TResult> RunAsync<TState, TResult>(TState state, Func<TState, TResult> work)
    {
        if (Interlocked.Increment(ref _inside) > maxConcurrent + maxWaiting)
        {
            Interlocked.Decrement(ref _inside);
            Interlocked.Increment(ref _refused);
            throw new OffloadFullException();
        }

        var reactor = Reactor.Current;
        try
        {
            await _places.WaitAsync().ConfigureAwait(false);
            try
            {
                await default(WorkerSwitch);
                return work(state);
            }
            finally
            {
                _places.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _inside);
            if (reactor is not null)
            {
                await reactor.SwitchAsync();
            }
        }
    }

    /// <summary>Awaits arrival on a thread of the pool, always by a hop.</summary>
    private readonly struct WorkerSwitch : ICriticalNotifyCompletion
    {
        public WorkerSwitch GetAwaiter() => this;

        public bool IsCompleted => false;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation) => ThreadPool.UnsafeQueueUserWorkItem(static next => next(), continuation, preferLocal: false);
    }
}

/// <summary>Too much work waits already; the exchange that asked should be refused.</summary>
internal sealed class OffloadFullException() : Exception("Too much work waits for a worker.");
