namespace Tidegate.Dashboard.Data;

/// <summary>Reads that several may wait for: who asks the same while it runs, or a moment afterwards, shares it. One for which nobody waits any more ends.</summary>
/// <param name="time">The clock.</param>
/// <param name="fresh">How long an answer is good, counted from when it came.</param>
/// <param name="capacity">More are read, and not shared.</param>
internal sealed class SharedReads<T>(TimeProvider time, TimeSpan fresh, int capacity)
{
    // The second drawing of a page takes over from the first, which does not wait so long.
    private static readonly TimeSpan Orphaned = TimeSpan.FromSeconds(3);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _entries = [];

    /// <summary>Waits for the answer.</summary>
    /// <param name="key">What is the same for the same question.</param>
    /// <param name="read">Reads it; its token ends it.</param>
    /// <param name="gone">Whoever asks does not wait any more.</param>
    /// <exception cref="OperationCanceledException">They do not.</exception>
    public async Task<T> AskAsync(string key, Func<CancellationToken, Task<T>> read, CancellationToken gone)
    {
        Entry entry;
        lock (_gate)
        {
            Forget();
            if (!_entries.TryGetValue(key, out entry!) || entry.End.IsCancellationRequested)
            {
                entry = new Entry(time);
                entry.Answer = Task.Run(() => RunAsync(entry, read), CancellationToken.None);
                if (_entries.Count < capacity || _entries.ContainsKey(key))
                {
                    _entries[key] = entry;
                }
            }

            entry.Waiting++;
            entry.End.CancelAfter(Timeout.InfiniteTimeSpan);
        }

        try
        {
            return await entry.Answer.WaitAsync(gone);
        }
        finally
        {
            lock (_gate)
            {
                if (--entry.Waiting == 0 && entry.Came is null)
                {
                    entry.End.CancelAfter(Orphaned);
                }
            }
        }
    }

    private async Task<T> RunAsync(Entry entry, Func<CancellationToken, Task<T>> read)
    {
        try
        {
            return await read(entry.End.Token);
        }
        finally
        {
            lock (_gate)
            {
                entry.Came = time.GetTimestamp();
            }
        }
    }

    private void Forget()
    {
        var now = time.GetTimestamp();
        foreach (var (key, entry) in _entries)
        {
            if (entry.Waiting == 0 && entry.Came is { } came && time.GetElapsedTime(came, now) > fresh)
            {
                _entries.Remove(key);
                entry.End.Dispose();
            }
        }
    }

    private sealed class Entry(TimeProvider time)
    {
        public CancellationTokenSource End { get; } = new(Timeout.InfiniteTimeSpan, time);

        public Task<T> Answer { get; set; } = null!;

        public int Waiting { get; set; }

        public long? Came { get; set; }
    }
}
