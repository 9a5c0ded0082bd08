using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Live;

/// <summary>
/// The last exchanges. Those that were refused, failed, or were answered with 500 or more have places of their own, so that they can
/// still be looked at when thousands of good ones came after them.
/// </summary>
/// <param name="capacity">Places for the good ones, and as many for the others.</param>
internal sealed class RecentExchanges(int capacity) : IExchangeSink
{
    private const int ServerError = 500;

    private readonly Lock _gate = new();
    private readonly Ring _good = new(capacity);
    private readonly Ring _trouble = new(capacity);
    private long _sequence;

    /// <inheritdoc/>
    public string Name => "recent";

    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            foreach (ref readonly var record in batch.Span)
            {
                var isTrouble = record.Outcome is Outcome.Rejected or Outcome.Failed or Outcome.ServedFromFallback || record.Status >= ServerError;
                (isTrouble ? _trouble : _good).Add(++_sequence, in record);
            }
        }

        return default;
    }

    /// <summary>The newest that fit, newest first.</summary>
    public IReadOnlyList<ExchangeRecord> Find(Predicate<ExchangeRecord> fits, int limit)
    {
        var found = new List<ExchangeRecord>();
        lock (_gate)
        {
            // Both rings are in order; the newer of their next two comes first.
            for (int good = 0, trouble = 0; found.Count < limit;)
            {
                var goodAt = _good.SequenceAt(good);
                var troubleAt = _trouble.SequenceAt(trouble);
                if (goodAt == troubleAt)
                {
                    break;
                }

                ref readonly var record = ref goodAt > troubleAt ? ref _good.RecordAt(good) : ref _trouble.RecordAt(trouble);
                (good, trouble) = goodAt > troubleAt ? (good + 1, trouble) : (good, trouble + 1);
                if (fits(record))
                {
                    found.Add(record);
                }
            }
        }

        return found;
    }

    private sealed class Ring(int capacity)
    {
        private const int FirstSize = 64;

        private long[] _sequences = new long[Math.Min(FirstSize, capacity)];
        private ExchangeRecord[] _records = new ExchangeRecord[Math.Min(FirstSize, capacity)];
        private int _count;
        private int _next;

        public void Add(long sequence, in ExchangeRecord record)
        {
            if (_count == _records.Length && _count < capacity)
            {
                // While it grows it has not wrapped, so places keep their order.
                Array.Resize(ref _sequences, Math.Min(capacity, _count * 2));
                Array.Resize(ref _records, Math.Min(capacity, _count * 2));
                _next = _count;
            }

            _sequences[_next] = sequence;
            _records[_next] = record;
            _next = (_next + 1) % _records.Length;
            _count = Math.Min(_count + 1, _records.Length);
        }

        /// <summary>When a record came, 1 for the first of all; 0 beyond the oldest.</summary>
        /// <param name="age">0 is the newest.</param>
        public long SequenceAt(int age) => age < _count ? _sequences[Place(age)] : 0;

        public ref readonly ExchangeRecord RecordAt(int age) => ref _records[Place(age)];

        private int Place(int age) => (_next + _records.Length - 1 - age) % _records.Length;
    }
}
