using System.Diagnostics.CodeAnalysis;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits.Shares;

/// <summary>
/// One count that classes of callers share. The whole is never more than the amount. What a class is guaranteed, and has used of late or was just refused, is kept for
/// it; everything else is lent to whoever asks. Among those for whom something is kept, the first that asked goes first. A quota lends nothing that is guaranteed:
/// it would not come back before the period ends. See docs/decisions/0011.
/// </summary>
internal sealed class SharedCount
{
    // Whoever is refused hears when to come back in whole seconds, and has a way to come.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan HorizonOfConcurrency = TimeSpan.FromSeconds(1);

    private static long _lastVersion;

    // Of two that count in the same cells the later one is the configuration's.
    private readonly long _version = Interlocked.Increment(ref _lastVersion);
    private readonly ShareClass[] _classes;
    private readonly KeyPart _by;
    private readonly TokenBucket? _bucket;
    private readonly long _room;
    private readonly long _guaranteed;
    private readonly long _horizonTicks;
    private readonly long _graceTicks;

    // Who waits here does not ask again before it is served.
    private readonly long _queueTicks;
    private readonly bool _isLent;
    private readonly bool _slides;

    /// <param name="settings">The limit's.</param>
    /// <param name="shares">Who shares it.</param>
    /// <param name="whole">Counts for everybody together.</param>
    /// <param name="periodTicks">In ticks of the clock.</param>
    /// <param name="ticksPerUtcTick">Of the clock, in 100 ns.</param>
    /// <param name="time">The clock.</param>
    public SharedCount(LimitSettings settings, ShareSettings shares, LimitAlgorithm whole, long periodTicks, double ticksPerUtcTick, TimeProvider time)
    {
        Whole = whole;
        _by = shares.By;
        _bucket = whole as TokenBucket;
        _room = _bucket is null ? settings.Amount : settings.Burst;
        _isLent = settings.Kind != LimitKind.Quota;
        _slides = settings.Kind == LimitKind.Rate;
        _guaranteed = shares.Classes.Sum(terms => ShareTerms.Of(terms.Guaranteed, _room));
        _graceTicks = (long)(Grace.Ticks * ticksPerUtcTick);
        _queueTicks = settings.WhenExceeded == WhenExceeded.Queue ? (long)(settings.MaxWait.Ticks * ticksPerUtcTick) : 0;
        _horizonTicks = Math.Max(1, settings.Kind switch
        {
            LimitKind.Rate => periodTicks,
            LimitKind.TokenBucket => (long)Math.Min(long.MaxValue / 4, (double)settings.Burst / settings.Amount * periodTicks),
            _ => (long)(HorizonOfConcurrency.Ticks * ticksPerUtcTick),
        });
        _classes = [.. shares.Classes.Select((terms, i) => Class(settings, terms, i, periodTicks, ticksPerUtcTick, time))];
    }

    /// <summary>Counts for everybody together.</summary>
    public LimitAlgorithm Whole { get; }

    public IReadOnlyList<ShareClass> Classes => _classes;

    /// <summary>The count as one class may take from it.</summary>
    public ShareClass this[int index] => _classes[index];

    /// <summary>Which class an exchange belongs to.</summary>
    public int ClassOf(Exchange exchange)
    {
        Span<byte> value = stackalloc byte[KeyPart.MaxBytes];
        var written = value[.._by.Write(exchange, value)];
        for (var i = 0; i < _classes.Length - 1; i++)
        {
            if (written.SequenceEqual(_classes[i].Value))
            {
                return i;
            }
        }

        return _classes.Length - 1;
    }

    /// <summary>See <see cref="LimitAlgorithm.Take"/>.</summary>
    public long Take(ref LimitCell cell, int index, long cost, long now)
    {
        if (IsOld(in cell, ref index, out var newer))
        {
            return newer.Take(ref cell, index, cost, now);
        }

        var terms = _classes[index];
        if (cost > terms.Max)
        {
            return LimitAlgorithm.Never;
        }

        var memory = Enter(ref cell, now, out var used);
        var wait = Math.Max(WaitOfOwn(memory, index, 0, cost, now), WaitOfWhole(ref cell, memory, index, used, 0, cost, now));
        if (wait == 0)
        {
            Add(ref cell, memory, index, cost, now);
            if (_queueTicks > 0)
            {
                // Served; where others of the class still wait, the next of them claims anew at once.
                memory.States[index].ClaimedUntil = Math.Min(memory.States[index].ClaimedUntil, now + _graceTicks);
            }
        }
        else if (_isLent && UsedOf(memory, index, now) + cost <= terms.Guaranteed)
        {
            Claim(ref memory.States[index], wait, now);
        }

        return wait;
    }

    /// <summary>See <see cref="LimitAlgorithm.Charge"/>.</summary>
    public void Charge(ref LimitCell cell, int index, long cost, long now)
    {
        if (IsOld(in cell, ref index, out var newer))
        {
            newer.Charge(ref cell, index, cost, now);
            return;
        }

        Add(ref cell, Enter(ref cell, now, out _), index, cost, now);
    }

    /// <summary>See <see cref="LimitAlgorithm.Give"/>.</summary>
    public void Give(ref LimitCell cell, int index, long cost, long takenAt, long now)
    {
        if (IsOld(in cell, ref index, out var newer))
        {
            newer.Give(ref cell, index, cost, takenAt, now);
            return;
        }

        var memory = Enter(ref cell, now, out _);
        ref var state = ref memory.States[index];
        Whole.Give(ref cell, cost, takenAt, now);
        _classes[index].Own?.Give(ref state.Count, cost, takenAt, now);
        if (_bucket is not null)
        {
            state.Level = Math.Max(0, state.Level - cost);
        }
    }

    /// <summary>How much the class has.</summary>
    public long Used(ref LimitCell cell, int index, long now) =>
        IsOld(in cell, ref index, out var newer) ? newer.Used(ref cell, index, now) : UsedOf(Enter(ref cell, now, out _), index, now);

    /// <summary>See <see cref="LimitAlgorithm.WaitBehind"/>; before it stands the class's own.</summary>
    public long WaitBehind(ref LimitCell cell, int index, long ahead, long cost, long now)
    {
        if (IsOld(in cell, ref index, out var newer))
        {
            return newer.WaitBehind(ref cell, index, ahead, cost, now);
        }

        var terms = _classes[index];
        if (cost > terms.Max)
        {
            return LimitAlgorithm.Never;
        }

        var memory = Enter(ref cell, now, out var used);
        return Math.Max(WaitOfOwn(memory, index, ahead, cost, now), WaitOfWhole(ref cell, memory, index, used, ahead, cost, now));
    }

    /// <summary>See <see cref="LimitAlgorithm.SaveShare"/>.</summary>
    public void Save(ref LimitCell cell, int index, long now, long utcTicks, List<SavedRun> runs)
    {
        var memory = Enter(ref cell, now, out _);
        if (_bucket is null)
        {
            _classes[index].Own!.Save(ref memory.States[index].Count, now, utcTicks, runs);
        }
        else if (UsedOf(memory, index, now) is > 0 and var used)
        {
            runs.Add(new SavedRun(utcTicks, used));
        }
    }

    /// <summary>See <see cref="LimitAlgorithm.LoadShare"/>.</summary>
    public void Load(ref LimitCell cell, int index, long now, long utcTicks, IReadOnlyList<SavedRun> runs)
    {
        var memory = Enter(ref cell, now, out _);
        if (_bucket is null)
        {
            _classes[index].Own!.Load(ref memory.States[index].Count, now, utcTicks, runs);
            memory.Measure();
        }
        else if (runs is [var only])
        {
            // What has flowed off since is taken from all of them in proportion, with the next look.
            memory.States[index].Level = only.Count;
        }
    }

    private ShareClass Class(LimitSettings settings, ShareTerms terms, int index, long periodTicks, double ticksPerUtcTick, TimeProvider time)
    {
        var guaranteed = ShareTerms.Of(terms.Guaranteed, _room);
        var max = ShareTerms.Of(terms.Max, _room);
        if (!_isLent)
        {
            max = Math.Min(max, _room - _guaranteed + guaranteed);
        }

        LimitAlgorithm? own = settings.Kind switch
        {
            LimitKind.Rate => new SlidingWindow(max, periodTicks, ticksPerUtcTick),
            LimitKind.TokenBucket => terms.Max >= 1 ? null : new TokenBucket(Math.Max(1, ShareTerms.Of(terms.Max, settings.Amount)), periodTicks, max, ticksPerUtcTick),
            LimitKind.Quota => new CalendarWindow(max, settings.Calendar!, time),
            _ => new ConcurrencyLimit(max),
        };
        return new ShareClass(this, index, terms) { Guaranteed = guaranteed, Max = max, Own = own };
    }

    /// <summary>Until the class is below its own bound.</summary>
    private long WaitOfOwn(ShareMemory memory, int index, long ahead, long cost, long now)
    {
        var own = _classes[index].Own;
        return own is null || (_bucket is null && UsedOf(memory, index, now) + ahead + cost <= _classes[index].Max) ? 0 : own.WaitBehind(ref memory.States[index].Count, ahead, cost, now);
    }

    /// <summary>Until the whole has room, beside what is kept for others.</summary>
    private long WaitOfWhole(ref LimitCell cell, ShareMemory memory, int index, long used, long ahead, long cost, long now)
    {
        // Were everything kept that is guaranteed, there would be room: no need to look at what is.
        var free = _room - used - ahead - cost;
        if (free >= _guaranteed)
        {
            return 0;
        }

        var kept = KeptFrom(memory, index, ahead + cost, now, out var keptUntil);
        if (free >= kept)
        {
            return 0;
        }

        var bare = Whole.WaitBehind(ref cell, ahead, cost, now);
        if (kept == 0 || !_isLent)
        {
            return kept == 0 ? bare : Whole.WaitBehind(ref cell, ahead + kept, cost, now);
        }

        // Room comes when there is enough for both, or when nothing is kept any more because nobody came for it.
        return Math.Min(Whole.WaitBehind(ref cell, ahead + kept, cost, now), Math.Max(bare, keptUntil - now + 1));
    }

    /// <summary>How much this class must leave for others, and until when nothing more would be kept if they never came.</summary>
    private long KeptFrom(ShareMemory memory, int index, long cost, long now, out long until)
    {
        ref var own = ref memory.States[index];
        var isCovered = UsedOf(memory, index, now) + cost <= WantedOf(in own, index, now);
        var sum = 0L;
        until = now;
        for (var i = 0; i < _classes.Length; i++)
        {
            ref var other = ref memory.States[i];
            if (i == index || _classes[i].Guaranteed == 0 || (isCovered && (own.Since < other.Since || (own.Since == other.Since && index < i))))
            {
                continue;
            }

            if (WantedOf(in other, i, now) - FloorOf(memory, i, now) is > 0 and var kept)
            {
                sum += kept;
                until = Math.Max(until, Math.Max(other.ClaimedUntil, (memory.Slot + 2) * _horizonTicks));
            }
        }

        return sum;
    }

    /// <summary>Up to how much is kept for a class: all of its guarantee once it was refused, else what it has used of late.</summary>
    private long WantedOf(in ShareState state, int index, long now)
    {
        var guaranteed = _classes[index].Guaranteed;
        return !_isLent || state.ClaimedUntil >= now ? guaranteed : Math.Min(guaranteed, Math.Max(state.High, state.HighBefore));
    }

    private long UsedOf(ShareMemory memory, int index, long now)
    {
        ref var state = ref memory.States[index];
        return _slides ? _classes[index].Own!.Used(ref state.Count, now) : Peak(in state);
    }

    // What is kept is rounded up, so what is used is rounded down.
    private long FloorOf(ShareMemory memory, int index, long now) =>
        _bucket is null ? UsedOf(memory, index, now) : (long)Math.Floor(memory.States[index].Level + 1e-6);

    private void Add(ref LimitCell cell, ShareMemory memory, int index, long cost, long now)
    {
        ref var state = ref memory.States[index];
        var (whole, own) = (memory.Runs, state.Count.Memory);
        Whole.ChargeSeen(ref cell, cost, now);
        _classes[index].Own?.ChargeSeen(ref state.Count, cost, now);
        if (memory.Runs != whole || state.Count.Memory != own)
        {
            // A log that needs more room is another one.
            memory.Measure();
        }

        state.Level += _bucket is null ? 0 : cost;
        if (!_isLent)
        {
            return;
        }

        if (state is { High: 0, HighBefore: 0 } && state.ClaimedUntil < now)
        {
            state.Since = now;
        }

        state.High = Math.Max(state.High, UsedOf(memory, index, now));
    }

    private void Claim(ref ShareState state, long wait, long now)
    {
        if (state.ClaimedUntil < now)
        {
            state.Since = now;
        }

        var patience = wait >= LimitAlgorithm.UntilReleased ? 0 : Math.Min(wait, long.MaxValue / 4);
        state.ClaimedUntil = Math.Max(state.ClaimedUntil, now + Math.Max(patience, _queueTicks) + _graceTicks);
    }

    /// <summary>Finds what the classes have, as it is now.</summary>
    private ShareMemory Enter(ref LimitCell cell, long now, out long used)
    {
        used = Whole.Used(ref cell, now);
        var memory = cell.Memory is ShareMemory found && found.Shape == this ? found : Adopt(ref cell, now);
        var slot = _isLent ? now / _horizonTicks : memory.Slot;
        if (slot != memory.Slot)
        {
            for (var i = 0; i < memory.States.Length; i++)
            {
                ref var state = ref memory.States[i];
                state.HighBefore = slot == memory.Slot + 1 ? state.High : 0;

                // Not what is used now: part of what the horizon began with may be over already.
                state.High = slot == memory.Slot + 1 ? Peak(in state) : 0;
            }

            memory.Slot = slot;
        }

        if (_bucket is not null)
        {
            Drain(memory, _bucket.Level(ref cell, now));
        }
        else if (!_isLent && memory.Slot != cell.Time)
        {
            // All have the same period, so that the calendar is asked once.
            foreach (ref var state in memory.States.AsSpan())
            {
                state.Count.Level = state.Count.Time == cell.Time ? state.Count.Level : 0;
                state.Count.Time = cell.Time;
            }

            memory.Slot = cell.Time;
        }

        return memory;
    }

    // As it was when somebody last looked.
    private long Peak(in ShareState state) => _bucket is null ? state.Count.Level : (long)Math.Ceiling(state.Level - 1e-6);

    /// <summary>What has flowed off is everybody's in proportion: together they have what is in the bucket.</summary>
    private static void Drain(ShareMemory memory, double level)
    {
        var sum = 0.0;
        foreach (ref readonly var state in memory.States.AsSpan())
        {
            sum += state.Level;
        }

        if (sum <= level)
        {
            return;
        }

        foreach (ref var state in memory.States.AsSpan())
        {
            state.Level *= level / sum;
        }
    }

    /// <summary>A cell that was not shared, or by other classes: what is counted stays, and a class that was there keeps what it has.</summary>
    private ShareMemory Adopt(ref LimitCell cell, long now)
    {
        // The same horizon goes on: a class that has fallen silent must not keep its part for another one.
        var slot = cell.Memory is ShareMemory { Shape: { _isLent: true } shape, Slot: var reached } && shape._horizonTicks == _horizonTicks ? reached : now / Math.Max(1, _horizonTicks);
        var memory = new ShareMemory(this, cell.Runs) { Slot = _isLent ? slot : 0 };
        for (var i = 0; i < _classes.Length; i++)
        {
            memory.States[i].Count = new LimitCell { Time = now, IdleAt = now };
            if (cell.Memory is ShareMemory before && before.Shape.IndexOf(_classes[i].Value) is >= 0 and var old)
            {
                memory.States[i] = before.States[old];
            }
        }

        memory.Measure();
        cell.Memory = memory;
        return memory;
    }

    /// <summary>
    /// Exchanges that a reload found in flight go on under their own configuration, and must not take back what a newer one has made of the cell: they count there as the class that
    /// they belong to now.
    /// </summary>
    private bool IsOld(in LimitCell cell, ref int index, [NotNullWhen(true)] out SharedCount? newer)
    {
        newer = cell.Memory is ShareMemory { Shape: var shape } && shape._version > _version ? shape : null;
        if (newer is null)
        {
            return false;
        }

        var there = newer.IndexOf(_classes[index].Value);
        index = there < 0 ? newer._classes.Length - 1 : there;
        return true;
    }

    private int IndexOf(ReadOnlySpan<byte> value)
    {
        for (var i = 0; i < _classes.Length; i++)
        {
            if (_classes[i].Value.SequenceEqual(value))
            {
                return i;
            }
        }

        return -1;
    }
}
