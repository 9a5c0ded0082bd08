using System.Collections.Concurrent;
using System.Threading.Channels;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Cache.Disk;

/// <summary>
/// Stored answers on the disk, behind those in memory: written in the background when they are stored, read when memory has lost them or the process is new. Nothing here
/// runs on a reactor: reads go through an <see cref="Offload"/>, writes are one loop's.
/// </summary>
internal sealed class DiskTier : IAsyncDisposable
{
    /// <summary>Smaller would be mostly files' ends.</summary>
    public const long MinBytes = 16 << 20;

    // Below it an answer is read whole: one wait instead of many.
    private const long WholeBytes = 256 * 1024;

    // What may wait to be written, beside the store's own bound. When the disk is slower, answers are not written.
    private const long MaxWaitingBytes = 16 << 20;
    private const int MaxWaiting = 4096;

    // Not worth a write.
    private static readonly TimeSpan MinLifetime = TimeSpan.FromSeconds(10);
    private static readonly Failure Damaged = new(FailureSource.Gateway, FailureKind.GatewayError, Retryable: false, "A stored answer on the disk is damaged. It is forgotten; ask again.");

    private readonly HttpCache _cache;
    private readonly DiskState _state;
    private readonly DiskLog _log;
    private readonly Action<string> _tell;
    private readonly Offload _reads = new(maxConcurrent: 8, maxWaiting: 1024);
    private readonly Channel<StoredAnswer> _writes = Channel.CreateBounded<StoredAnswer>(MaxWaiting);
    private readonly ConcurrentDictionary<DiskEntry, Task<DiskLoad?>> _loads = new();
    private readonly DiskQueue _queue = new();
    private readonly Task _writing;
    private volatile bool _isRecovered;
    private long _waitingBytes;
    private long _waiting;
    private long _answersRead;
    private long _written;
    private long _notWritten;
    private long _damaged;
    private bool _hasTold;

    private DiskTier(HttpCache cache, DiskState state, string directory, long maxBytes, Action<string> tell)
    {
        (_cache, _state, _tell) = (cache, state, tell);
        _log = new DiskLog(directory, maxBytes, Index, cache.Time);
        _writing = Task.Factory.StartNew(WriteAsync, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
    }

    /// <summary>What can be found.</summary>
    public DiskIndex Index { get; } = new();

    public long Bytes => _log.Bytes;

    public int Entries => Index.Count;

    /// <summary>Answers that were read.</summary>
    public long Reads => Interlocked.Read(ref _answersRead);

    public long Written => Interlocked.Read(ref _written);

    /// <summary>Answers that were not written because the disk was slow, full or broken.</summary>
    public long NotWritten => Interlocked.Read(ref _notWritten);

    /// <summary>Answers that were found damaged.</summary>
    public long DamagedEntries => Interlocked.Read(ref _damaged);

    /// <summary>Done when everything that waited to be written has been.</summary>
    public bool IsIdle => _isRecovered && Interlocked.Read(ref _waiting) == 0;

    /// <summary>Opens the directory, or makes it; the cache's hashes and epochs are that directory's from now on.</summary>
    /// <returns>Null when it cannot be used: then answers are kept in memory only, and the log says so.</returns>
    public static DiskTier? Open(HttpCache cache, string directory, long maxBytes, Action<string> tell)
    {
        try
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(directory);
            }
            else
            {
                // Answers and the key of their hashes are nobody else's.
                Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }

            var state = DiskState.Open(directory);
            cache.Use(state);
            return cache.Disk = new DiskTier(cache, state, directory, maxBytes, tell);
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException)
        {
            tell($"Stored answers are kept in memory only, because {directory} cannot be used: {unusable.Message}");
            return null;
        }
    }

    /// <summary>Where an answer for such a request is; null when there is none.</summary>
    public DiskEntry? Find(UInt128 key, HeaderList request) => _isRecovered ? Index.Find(key, request) : null;

    /// <summary>An answer has been stored: it is written when there is time.</summary>
    public void Offer(StoredAnswer answer)
    {
        if (_queue.IsOvertaken(answer))
        {
            return;
        }

        // First of all whoever is writing an older one learns of it: from here on either the writer finds that it was overtaken, or it stands in the index.
        var isWritten = answer.Lifetime >= MinLifetime || answer.HasValidator;
        if (isWritten)
        {
            _queue.Begin(answer);
        }
        else
        {
            _queue.Pass(answer);
        }

        // What is there of it is older than what has just come. It may still be fresh, and must not come back should the process end before the new one is written.
        if (Index.Remove(answer.Key, answer.Vary) is { } older && older.FreshUntil > _cache.Time.GetUtcNow())
        {
            _cache.Supersede(answer);
        }

        if (!isWritten)
        {
            return;
        }

        var bytes = answer.Bytes;
        Interlocked.Increment(ref _waiting);
        if (Interlocked.Add(ref _waitingBytes, bytes) > MaxWaitingBytes || !_writes.Writer.TryWrite(answer))
        {
            _queue.End(answer);
            Interlocked.Add(ref _waitingBytes, -bytes);
            Interlocked.Decrement(ref _waiting);
            Interlocked.Increment(ref _notWritten);
        }
    }

    /// <summary>An answer is no more.</summary>
    public void Forget(StoredAnswer answer)
    {
        _queue.Forget(answer);
        Index.Remove(answer.Key, answer.Vary);
    }

    /// <summary>Reads an answer, once for all who want it: whole, or its head while the rest comes behind it.</summary>
    /// <param name="entry">Where it is.</param>
    /// <param name="request">Fields of a request that it is for.</param>
    /// <returns>Null when it cannot be read: somebody must be asked.</returns>
    public async ValueTask<DiskLoad?> LoadAsync(DiskEntry entry, HeaderList request)
    {
        var own = new TaskCompletionSource<DiskLoad?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var others = _loads.GetOrAdd(entry, own.Task);
        if (others != own.Task)
        {
            await WaitAsync(others);
            var theirs = await others;
            return theirs is not { IsSomebodyElses: true } ? theirs : entry.Segment.TryUse() ? await BeginAsync(entry, others) : null;
        }

        DiskLoad? load = null;
        try
        {
            // A load that ended after the caller had looked into memory has brought it there: whatever loads puts the answer into memory before it leaves the table.
            load = _cache.Store.Find(entry.Key, request, out _) is { } come ? DiskLoad.Of(come)
                : entry.Segment.TryUse() ? await BeginAsync(entry, own.Task)
                : null;
            return load;
        }
        finally
        {
            // What memory cannot hold is read by whoever asked for it alone: in one window all would read as slowly as the slowest.
            own.SetResult(load is { IsShared: false } ? DiskLoad.SomebodyElses(load.Answer) : load);
            if (load is not { IsShared: true, Completion.IsCompleted: false })
            {
                _loads.TryRemove(KeyValuePair.Create(entry, own.Task));
            }
        }
    }

    /// <summary>An answer without its content, for whoever only wants to know of it; null when it cannot be read.</summary>
    public async ValueTask<StoredAnswer?> PeekAsync(DiskEntry entry)
    {
        if (!entry.Segment.TryUse())
        {
            return null;
        }

        try
        {
            return (await _reads.RunAsync((Tier: this, entry), static read => read.Tier.Read(read.entry, isWhole: false))).Answer;
        }
        catch (OffloadFullException)
        {
            return null;
        }
        finally
        {
            entry.Segment.Release();
        }
    }

    /// <summary>Waits, and goes on where it came from.</summary>
    public static async ValueTask WaitAsync(Task task)
    {
        var reactor = Reactor.Current;
        await task.ConfigureAwait(false);
        if (reactor is not null)
        {
            await reactor.SwitchAsync();
        }
    }

    private async ValueTask<DiskLoad?> BeginAsync(DiskEntry entry, Task<DiskLoad?> own)
    {
        var isStreamed = false;
        try
        {
            var isWhole = entry.ContentBytes <= WholeBytes;
            var (answer, checksums) = await _reads.RunAsync((Tier: this, entry, isWhole), static read => read.Tier.Read(read.entry, read.isWhole));
            if (answer is null)
            {
                return null;
            }

            Interlocked.Increment(ref _answersRead);
            if (isWhole)
            {
                _cache.Store.Put(answer, replaced: null, reserved: 0);
                return DiskLoad.Of(answer);
            }

            var load = new DiskLoad(answer, isShared: entry.ContentBytes <= int.MaxValue && answer.Content.TryReserve((int)entry.ContentBytes));
            isStreamed = true;
            _ = FillAsync(entry, load, checksums, own);
            return load;
        }
        catch (OffloadFullException)
        {
            // The disk is busier than the upstream.
            return null;
        }
        finally
        {
            if (!isStreamed)
            {
                entry.Segment.Release();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _writes.Writer.TryComplete();
        await _writing;
        try
        {
            _log.Flush();
            _state.MarkClean();
        }
        catch (IOException broken)
        {
            _tell($"Stored answers could not be brought to the disk: {broken.Message}");
        }

        _log.Dispose();
        _state.Dispose();
    }

    private (StoredAnswer? Answer, uint[] Checksums) Read(DiskEntry entry, bool isWhole)
    {
        var content = new StoredContent(isWhole ? null : _cache.Store, entry.Key, entry.ContentBytes);
        var bytes = new byte[DiskRecord.FrameBytes + entry.HeadBytes];
        if (!ReadExactly(entry.Segment, bytes, entry.Offset) || DiskRecord.Decode(bytes, content, _cache.Time, out var checksums, out var isFromFuture) is not { } answer || isFromFuture || answer.Key != entry.Key)
        {
            Lose(entry);
            return (null, []);
        }

        if (isWhole)
        {
            var all = new byte[entry.ContentBytes];
            if (!ReadExactly(entry.Segment, all, entry.ContentOffset) || !AreWhole(all, checksums))
            {
                Lose(entry);
                return (null, []);
            }

            content.Append(all);
            content.Complete();
            answer.Pack();
        }

        return (answer, checksums);
    }

    private static bool AreWhole(ReadOnlySpan<byte> content, uint[] checksums)
    {
        for (var i = 0; i < checksums.Length; i++)
        {
            var start = i * StoredContent.PieceBytes;
            if (DiskRecord.Checksum(content.Slice(start, Math.Min(StoredContent.PieceBytes, content.Length - start))) != checksums[i])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>From the disk into the content, a bounded way ahead of whoever reads it; into the store when it is complete.</summary>
    private async Task FillAsync(DiskEntry entry, DiskLoad load, uint[] checksums, Task<DiskLoad?> own)
    {
        var content = load.Answer.Content;
        var end = default(ContentEnd);
        try
        {
            if (!load.IsShared)
            {
                // Its reader takes its place before anything can be let go.
                await load.Begun;
                content.BecomeWindow();
            }

            var piece = new byte[StoredContent.PieceBytes];
            for (var i = 0; i < checksums.Length; i++)
            {
                var offset = (long)i * StoredContent.PieceBytes;
                var length = (int)Math.Min(StoredContent.PieceBytes, entry.ContentBytes - offset);
                var isGood = await _reads.RunAsync(
                    (entry, piece, offset, length, Sum: checksums[i]),
                    static read => ReadExactly(read.entry.Segment, read.piece.AsSpan(0, read.length), read.entry.ContentOffset + read.offset) && DiskRecord.Checksum(read.piece.AsSpan(0, read.length)) == read.Sum);
                if (!isGood)
                {
                    Lose(entry);
                    content.Fail(Damaged);
                    return;
                }

                if (!content.IsKept && !content.HasReaders)
                {
                    content.Fail(Damaged);
                    return;
                }

                content.Append(piece.AsSpan(0, length));
                if (!content.IsKept)
                {
                    // What is kept has its room: a client who reads slowly must not keep a file from being deleted.
                    await content.WaitForRoomAsync();
                }
            }

            end = content.End();
            if (content.IsKept)
            {
                _cache.Store.Put(load.Answer, replaced: null, end.Reserved);
            }
        }
        catch (OffloadFullException)
        {
            content.Fail(Damaged);
        }
        catch (Exception bug)
        {
            content.Fail(Damaged);
            _cache.OnBug(bug);
        }
        finally
        {
            end.Tell();
            _loads.TryRemove(KeyValuePair.Create(entry, own));
            entry.Segment.Release();
            load.Complete();
        }
    }

    private void Lose(DiskEntry entry)
    {
        Interlocked.Increment(ref _damaged);
        Index.Remove(entry);
    }

    private static bool ReadExactly(DiskSegment segment, Span<byte> into, long offset)
    {
        try
        {
            while (!into.IsEmpty)
            {
                var read = RandomAccess.Read(segment.Handle, into, offset);
                if (read == 0)
                {
                    return false;
                }

                into = into[read..];
                offset += read;
            }

            return true;
        }
        catch (IOException)
        {
            // A sector that cannot be read: as good as damaged.
            return false;
        }
    }

    private async Task WriteAsync()
    {
        try
        {
            _log.Recover(_state.IsTrusted);
        }
        catch (Exception broken) when (broken is IOException or UnauthorizedAccessException)
        {
            _tell($"Stored answers cannot be read from the disk: {broken.Message}");
        }

        _isRecovered = true;
        while (await _writes.Reader.WaitToReadAsync())
        {
            while (_writes.Reader.TryRead(out var answer))
            {
                Interlocked.Add(ref _waitingBytes, -answer.Bytes);
                Write(answer);
                Interlocked.Decrement(ref _waiting);
            }
        }
    }

    private void Write(StoredAnswer answer)
    {
        try
        {
            var received = _cache.Time.GetUtcNow() - _cache.Time.GetElapsedTime(answer.Received);
            if (_queue.IsNewest(answer) && _log.Append(answer, DiskRecord.Encode(answer, received)) is { } entry)
            {
                Index.Put(entry);
                Interlocked.Increment(ref _written);
                if (!_queue.IsNewest(answer))
                {
                    // Overtaken while it was written: it is on the disk, and must not come back from there.
                    Index.Remove(entry);
                    _queue.Supersede(answer, _cache);
                }
            }
        }
        catch (Exception broken) when (broken is IOException or UnauthorizedAccessException)
        {
            Interlocked.Increment(ref _notWritten);
            if (!_hasTold)
            {
                _hasTold = true;
                _tell($"A stored answer cannot be written to the disk; it is kept in memory: {broken.Message}");
            }
        }
        catch (Exception bug)
        {
            // The next one may be better.
            _cache.OnBug(bug);
        }
        finally
        {
            _queue.End(answer);
        }
    }
}
