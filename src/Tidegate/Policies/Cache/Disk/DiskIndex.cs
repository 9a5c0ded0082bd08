using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache.Disk;

/// <summary>What is on the disk, by key and by the request fields that it was chosen by.</summary>
internal sealed class DiskIndex
{
    private const int MaxVariants = 8;

    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, DiskEntry> _entries = [];
    private int _count;

    public int Count => Volatile.Read(ref _count);

    /// <summary>An answer is on the disk and about to be found. Here a test holds the writer.</summary>
    public Action BeforePut { get; set; } = static () => { };

    /// <summary>What was there of an answer is forgotten. Here a test lets the writer go on, and holds whoever brings a newer one.</summary>
    public Action AfterRemove { get; set; } = static () => { };

    public DiskEntry? Find(UInt128 key, HeaderList request)
    {
        lock (_gate)
        {
            for (var entry = _entries.GetValueOrDefault(key); entry is not null; entry = entry.Next)
            {
                if (VaryKey.Matches(entry.Vary, request))
                {
                    return entry;
                }
            }

            return null;
        }
    }

    /// <summary>The newest for its requests.</summary>
    public void Put(DiskEntry entry)
    {
        BeforePut();
        lock (_gate)
        {
            RemoveLocked(entry.Key, entry.Vary);
            entry.Next = _entries.GetValueOrDefault(entry.Key);
            _entries[entry.Key] = entry;
            _count++;
            var last = entry;
            for (var variants = 1; last.Next is not null; variants++)
            {
                if (variants == MaxVariants)
                {
                    _count--;
                    last.Next = null;
                    break;
                }

                last = last.Next;
            }
        }
    }

    /// <summary>Forgets what is there of an answer.</summary>
    /// <returns>What that was; null when there was nothing.</returns>
    public DiskEntry? Remove(UInt128 key, ReadOnlySpan<byte> vary)
    {
        DiskEntry? removed;
        lock (_gate)
        {
            removed = RemoveLocked(key, vary);
        }

        AfterRemove();
        return removed;
    }

    /// <summary>Forgets one, unless a newer one has taken its place.</summary>
    public void Remove(DiskEntry entry)
    {
        lock (_gate)
        {
            DiskEntry? before = null;
            for (var known = _entries.GetValueOrDefault(entry.Key); known is not null; before = known, known = known.Next)
            {
                if (known == entry)
                {
                    Unlink(before, known);
                    return;
                }
            }
        }
    }

    private DiskEntry? RemoveLocked(UInt128 key, ReadOnlySpan<byte> vary)
    {
        DiskEntry? before = null;
        for (var known = _entries.GetValueOrDefault(key); known is not null; before = known, known = known.Next)
        {
            if (vary.SequenceEqual(known.Vary))
            {
                Unlink(before, known);
                return known;
            }
        }

        return null;
    }

    private void Unlink(DiskEntry? before, DiskEntry entry)
    {
        _count--;
        if (before is not null)
        {
            before.Next = entry.Next;
        }
        else if (entry.Next is not null)
        {
            _entries[entry.Key] = entry.Next;
        }
        else
        {
            _entries.Remove(entry.Key);
        }
    }
}
