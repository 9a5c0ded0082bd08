using Tidegate.Recording;

namespace Tidegate.Control.Store.Postgres;

/// <summary>Records that are not in the database yet, up to a number and a size, those that are being written with them. What finds no room is counted. Thread-safe.</summary>
internal sealed class PostgresBacklog(int maxRecords, long maxBytes)
{
    private readonly Lock _gate = new();
    private readonly Queue<ExchangeRecord[]> _waiting = new();
    private int _records;
    private long _bytes;
    private long _noRoom;
    private bool _isClosed;

    /// <summary>How many found no room.</summary>
    public long NoRoom => Interlocked.Read(ref _noRoom);

    public bool IsEmpty
    {
        get
        {
            lock (_gate)
            {
                return _records == 0;
            }
        }
    }

    /// <summary>Adds a batch, if it finds room as a whole.</summary>
    public bool TryAdd(ReadOnlySpan<ExchangeRecord> batch)
    {
        var bytes = RecordSize.Of(batch);
        lock (_gate)
        {
            if (_isClosed || _records + batch.Length > maxRecords || _bytes + bytes > maxBytes)
            {
                Interlocked.Add(ref _noRoom, batch.Length);
                return false;
            }

            _records += batch.Length;
            _bytes += bytes;
            _waiting.Enqueue(batch.ToArray());
            return true;
        }
    }

    /// <summary>Moves what came first into a list, until that has so many. It keeps its room until it is released.</summary>
    public void Take(int count, List<ExchangeRecord[]> into)
    {
        var records = 0;
        lock (_gate)
        {
            while (records < count && _waiting.TryDequeue(out var block))
            {
                into.Add(block);
                records += block.Length;
            }
        }
    }

    /// <summary>As if it had not been taken.</summary>
    public void GiveBack(List<ExchangeRecord[]> taken)
    {
        lock (_gate)
        {
            var later = _waiting.ToArray();
            _waiting.Clear();
            foreach (var block in taken.Concat(later))
            {
                _waiting.Enqueue(block);
            }
        }

        taken.Clear();
    }

    /// <summary>What was taken waits no more: it is written, or lost.</summary>
    /// <returns>How many those are.</returns>
    public int Release(List<ExchangeRecord[]> taken)
    {
        var records = taken.Sum(block => block.Length);
        lock (_gate)
        {
            _records -= records;
            _bytes -= taken.Sum(block => RecordSize.Of(block));
        }

        taken.Clear();
        return records;
    }

    /// <summary>Nothing finds room any more.</summary>
    /// <returns>How many still wait.</returns>
    public int Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            return _records;
        }
    }
}
