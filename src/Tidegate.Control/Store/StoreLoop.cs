using Tidegate.Transport;

namespace Tidegate.Control.Store;

/// <summary>
/// A store's own thread: what may wait for the disk waits here, not on a thread of the pool, and gives way to traffic. Sleeps while nothing comes. By the machine's clock, because nothing
/// that is kept depends on it.
/// </summary>
/// <param name="name">What the thread is called.</param>
/// <param name="work">What is to be done a while after something came, and whether some of it is left for the next time; it does not throw.</param>
/// <param name="interval">How long things are let come together.</param>
/// <param name="longestRest">How long nothing is done at most: an hour ends also when nobody calls.</param>
internal sealed class StoreLoop(string name, Func<bool> work, TimeSpan interval, TimeSpan longestRest) : IAsyncDisposable
{
    // Set at first: what was counted again is to be saved.
    private readonly AutoResetEvent _changed = new(initialState: true);
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _stopping = new(initialState: false, spinCount: 0);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isWoken = 1;
    private bool _isStarted;
    private bool _isDisposed;

    public void Start()
    {
        if (!_isStarted)
        {
            _isStarted = true;
            new Thread(Run) { IsBackground = true, Name = name }.UnsafeStart();
        }
    }

    /// <summary>Something is to be done. Cheap while that is known already; nothing comes of it any more when it has ended.</summary>
    public void Wake()
    {
        if (Volatile.Read(ref _isWoken) == 0 && Interlocked.Exchange(ref _isWoken, 1) == 0)
        {
            lock (_gate)
            {
                if (!_isDisposed)
                {
                    _changed.Set();
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _stopping.Set();
        _changed.Set();
        if (_isStarted)
        {
            await _ended.Task;
        }

        lock (_gate)
        {
            _isDisposed = true;
            _changed.Dispose();
        }

        _stopping.Dispose();
    }

    private void Run()
    {
        SchedulingHint.GivesWay();
        while (true)
        {
            _changed.WaitOne(longestRest);
            if (_stopping.Wait(interval))
            {
                break;
            }

            Interlocked.Exchange(ref _isWoken, 0);
            if (work())
            {
                // Nothing may come that would wake it.
                _changed.Set();
            }
        }

        _ended.SetResult();
    }
}
