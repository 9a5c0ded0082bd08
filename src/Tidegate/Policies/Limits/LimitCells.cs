using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;
using Tidegate.Policies.Limits.Shares;

namespace Tidegate.Policies.Limits;

/// <summary>
/// The state of every limit for every key, in tables of plain values: a million keys are a few objects to the garbage collector. Keys whose cell says no more
/// than a fresh one are forgotten when a table would have to grow. Bounded.
/// </summary>
internal sealed class LimitCells
{
    /// <summary>
    /// Of <see cref="BytesPerKey"/>, 200 MB: a client that changes its key with every request can take no more. A key that has more to remember takes the place of several:
    /// of those from which a rate is taken again and again a million and a little more fit.
    /// </summary>
    public const int DefaultCapacity = 2_450_000;

    /// <summary>A key's cell in a table that has just grown.</summary>
    public const int BytesPerKey = 80;

    private readonly TimeProvider _time;
    private readonly Shard[] _shards;
    private readonly int _shardBits;

    /// <param name="time">The clock.</param>
    /// <param name="saved">What an earlier process counted, by key; each is taken out when its key is met again. Null: nothing is kept.</param>
    /// <param name="capacity">Keys of <see cref="BytesPerKey"/>.</param>
    public LimitCells(TimeProvider time, ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>>? saved = null, int capacity = DefaultCapacity)
    {
        _time = time;
        // Sixteen for each core: two exchanges at the same moment rarely meet in one.
        var count = (int)BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount * 16);
        _shardBits = BitOperations.Log2((uint)count);
        _shards = new Shard[count];
        for (var i = 0; i < count; i++)
        {
            _shards[i] = new Shard(Math.Max(1, capacity / count), time, saved);
        }
    }

    /// <summary>Keys that are remembered.</summary>
    public long Count => _shards.Sum(shard => (long)Volatile.Read(ref shard.Count));

    /// <summary>Keys that were forgotten while they still counted, because there were too many.</summary>
    public long Evicted => _shards.Sum(shard => Interlocked.Read(ref shard.Evicted));

    /// <summary>See <see cref="LimitAlgorithm.Take"/>.</summary>
    public long Take(LimitAlgorithm algorithm, UInt128 key, long cost, long now)
    {
        var shard = ShardOf(key);
        shard.Enter();
        try
        {
            ref var cell = ref shard.CellOf(key, algorithm, now);
            var before = cell.Memory?.Bytes ?? 0;
            var wait = algorithm.Take(ref cell, cost, now);
            shard.Note(ref cell, algorithm, isChanged: wait == 0 && algorithm is not CoolDown, before, now);
            return wait;
        }
        finally
        {
            shard.Leave();
        }
    }

    /// <summary>See <see cref="LimitAlgorithm.WaitBehind"/>.</summary>
    public long WaitBehind(LimitAlgorithm algorithm, UInt128 key, long ahead, long cost, long now)
    {
        var shard = ShardOf(key);
        shard.Enter();
        try
        {
            return algorithm.WaitBehind(ref shard.CellOf(key, algorithm, now), ahead, cost, now);
        }
        finally
        {
            shard.Leave();
        }
    }

    /// <summary>See <see cref="LimitAlgorithm.Charge"/>.</summary>
    public void Charge(LimitAlgorithm algorithm, UInt128 key, long cost, long now)
    {
        var shard = ShardOf(key);
        shard.Enter();
        try
        {
            ref var cell = ref shard.CellOf(key, algorithm, now);
            var before = cell.Memory?.Bytes ?? 0;
            algorithm.Charge(ref cell, cost, now);
            shard.Note(ref cell, algorithm, isChanged: true, before, now);
        }
        finally
        {
            shard.Leave();
        }
    }

    /// <summary>See <see cref="LimitAlgorithm.Give"/>.</summary>
    public void Give(LimitAlgorithm algorithm, UInt128 key, long cost, long takenAt, long now)
    {
        var shard = ShardOf(key);
        shard.Enter();
        try
        {
            ref var cell = ref shard.CellOf(key, algorithm, now);
            var before = cell.Memory?.Bytes ?? 0;
            algorithm.Give(ref cell, cost, takenAt, now);
            shard.Note(ref cell, algorithm, isChanged: algorithm is not CoolDown, before, now);
        }
        finally
        {
            shard.Leave();
        }
    }

    /// <summary>See <see cref="LimitAlgorithm.Used"/>; makes no cell.</summary>
    public long Used(LimitAlgorithm algorithm, UInt128 key, long now)
    {
        var shard = ShardOf(key);
        shard.Enter();
        try
        {
            ref var cell = ref shard.Find(key);
            return Unsafe.IsNullRef(ref cell) ? 0 : algorithm.Used(ref cell, now);
        }
        finally
        {
            shard.Leave();
        }
    }

    /// <summary>Moves what has changed since the last time, and outlives the process, into a list.</summary>
    public void TakeChanged(List<SavedCount> changed)
    {
        var now = _time.GetTimestamp();
        var utcTicks = _time.GetUtcNow().UtcTicks;
        foreach (var shard in _shards)
        {
            shard.Enter();
            try
            {
                shard.TakeChanged(changed, now, utcTicks);
            }
            finally
            {
                shard.Leave();
            }
        }
    }

    private Shard ShardOf(UInt128 key) => _shards[(int)((ulong)(key >> 64) >> (64 - _shardBits))];

    /// <summary>
    /// One table, and the lock of all its cells. Open addressing: a key is at its place, or in the next free one after it, and behind the last comes the first. Tables grow by a quarter,
    /// because one that doubles is half empty for most of the time.
    /// </summary>
    private sealed class Shard(int capacity, TimeProvider time, ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>>? saved)
    {
        private const int FirstSize = 16;

        // Of evenly spread keys at most so many sixteenths are filled: probes stay short.
        private const int MaxFilledSixteenths = 12;

        public long Evicted;
        public int Count;

        // What cells have beside their place in the table.
        private long _memoryBytes;
        private int _isHeld;

        private readonly Dictionary<UInt128, LimitAlgorithm> _changed = [];
        private LimitCell[] _cells = new LimitCell[FirstSize];

        private bool IsFull => Count + (_memoryBytes / BytesPerKey) >= capacity;

        /// <summary>
        /// Makes the cells the caller's own, for some nanoseconds. A lock of the runtime's costs three times as much, and four limits take five of them. Who does not get it at
        /// once gives way soon, and for longer each time: whoever has it may have lost its processor.
        /// </summary>
        public void Enter()
        {
            if (Interlocked.CompareExchange(ref _isHeld, 1, 0) != 0)
            {
                Wait();
            }
        }

        public void Leave() => Volatile.Write(ref _isHeld, 0);

        public ref LimitCell Find(UInt128 key)
        {
            var cells = _cells;
            for (var i = PlaceOf(key, cells.Length); ; i = i + 1 < cells.Length ? i + 1 : 0)
            {
                ref var cell = ref cells[i];
                if (cell.Key == key)
                {
                    return ref cell;
                }

                if (cell.Key == default)
                {
                    return ref Unsafe.NullRef<LimitCell>();
                }
            }
        }

        /// <summary>Remembers that a count that outlives the process is to be saved, and how much memory the cell has taken. The cell may move.</summary>
        public void Note(ref LimitCell cell, LimitAlgorithm algorithm, bool isChanged, int bytesBefore, long now)
        {
            if (saved is not null && isChanged && algorithm.IsKept)
            {
                _changed[cell.Key] = algorithm;
            }

            if (cell.Memory is { } memory && memory.Bytes != bytesBefore)
            {
                _memoryBytes += memory.Bytes - bytesBefore;
                if (IsFull)
                {
                    MakeRoom(now);
                }
            }
        }

        public void TakeChanged(List<SavedCount> changed, long now, long utcTicks)
        {
            foreach (var (key, changing) in _changed)
            {
                ref var cell = ref Find(key);

                // What an earlier configuration's exchange has changed is saved as the newest has it.
                var algorithm = !Unsafe.IsNullRef(ref cell) && cell.Memory is ShareMemory { Shape: var shape } ? shape[0] : changing;
                var runs = new List<SavedRun>();
                var expires = utcTicks;
                if (!Unsafe.IsNullRef(ref cell))
                {
                    algorithm.Save(ref cell, now, utcTicks, runs);
                    expires += (long)(Math.Max(0, cell.IdleAt - now) / (double)time.TimestampFrequency * TimeSpan.TicksPerSecond);
                }

                changed.Add(new SavedCount(key, runs, expires));
                for (var share = 0; share < algorithm.ShareCount; share++)
                {
                    var ofShare = new List<SavedRun>();
                    if (!Unsafe.IsNullRef(ref cell))
                    {
                        algorithm.SaveShare(ref cell, share, now, utcTicks, ofShare);
                    }

                    changed.Add(new SavedCount(algorithm.ShareKey(key, share), ofShare, expires));
                }
            }

            _changed.Clear();
        }

        public ref LimitCell CellOf(UInt128 key, LimitAlgorithm algorithm, long now)
        {
            ref var found = ref Find(key);
            if (!Unsafe.IsNullRef(ref found))
            {
                return ref found;
            }

            if (Count >= _cells.Length / 16 * MaxFilledSixteenths || IsFull)
            {
                MakeRoom(now);
            }

            ref var cell = ref Place(_cells, key);
            cell = new LimitCell { Key = key, Time = now, IdleAt = now };
            Count++;
            if (saved is not null && algorithm.IsKept)
            {
                Load(saved, ref cell, algorithm, now);
                _memoryBytes += cell.Memory?.Bytes ?? 0;
            }

            return ref cell;
        }

        private void Wait()
        {
            var spinner = default(SpinWait);
            do
            {
                spinner.SpinOnce();
            }
            while (Volatile.Read(ref _isHeld) != 0 || Interlocked.CompareExchange(ref _isHeld, 1, 0) != 0);
        }

        private void Load(ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>> from, ref LimitCell cell, LimitAlgorithm algorithm, long now)
        {
            var utcTicks = time.GetUtcNow().UtcTicks;
            if (from.TryRemove(cell.Key, out var runs))
            {
                algorithm.Load(ref cell, now, utcTicks, runs);
            }

            for (var share = 0; share < algorithm.ShareCount; share++)
            {
                if (from.TryRemove(algorithm.ShareKey(cell.Key, share), out var ofShare))
                {
                    algorithm.LoadShare(ref cell, share, now, utcTicks, ofShare);
                }
            }
        }

        /// <summary>The key's low half, a hash, as a part of the table's length: any length will do.</summary>
        private static int PlaceOf(UInt128 key, int length) => (int)(((uint)key * (ulong)(uint)length) >> 32);

        private static ref LimitCell Place(LimitCell[] cells, UInt128 key)
        {
            var i = PlaceOf(key, cells.Length);
            while (cells[i].Key != default)
            {
                i = i + 1 < cells.Length ? i + 1 : 0;
            }

            return ref cells[i];
        }

        /// <summary>Forgets what is idle; if that is not enough grows, and at the bound forgets those that will be idle soonest.</summary>
        private void MakeRoom(long now)
        {
            var live = 0;
            var liveBytes = 0L;
            var soonest = long.MaxValue;
            foreach (ref readonly var cell in _cells.AsSpan())
            {
                if (cell.Key != default && cell.IdleAt > now)
                {
                    live++;
                    liveBytes += cell.Memory?.Bytes ?? 0;
                    soonest = Math.Min(soonest, cell.IdleAt);
                }
            }

            var forgetUntil = now;
            if (live + (liveBytes / BytesPerKey) >= capacity)
            {
                forgetUntil = Median(soonest, now);
            }

            var size = FirstSize + ((live + (live / 4)) / MaxFilledSixteenths * 16);

            var old = _cells;
            _cells = new LimitCell[size];
            Count = 0;
            _memoryBytes = 0;
            foreach (ref readonly var cell in old.AsSpan())
            {
                if (cell.Key == default || cell.IdleAt <= forgetUntil)
                {
                    Evicted += cell.Key != default && cell.IdleAt > now ? 1 : 0;
                    continue;
                }

                Place(_cells, cell.Key) = cell;
                Count++;
                _memoryBytes += cell.Memory?.Bytes ?? 0;
            }
        }

        /// <summary>Of a sample, the time by which an eighth is idle: enough are forgotten that the next key does not forget again.</summary>
        private long Median(long soonest, long now)
        {
            const int Samples = 64;
            Span<long> sample = stackalloc long[Samples];
            var count = 0;
            var step = Math.Max(1, _cells.Length / (Samples * 2));
            for (var i = 0; i < _cells.Length && count < Samples; i += step)
            {
                if (_cells[i].Key != default && _cells[i].IdleAt > now && _cells[i].IdleAt != long.MaxValue)
                {
                    sample[count++] = _cells[i].IdleAt;
                }
            }

            sample[..count].Sort();
            return count == 0 ? soonest : Math.Max(soonest, sample[count / 8]);
        }
    }
}
