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

    public ValueTask WriteAsync(IReadOnlyList<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            foreach (var record in batch)
            {
                var isTrouble = record.Outcome is Outcome.Rejected or Outcome.Failed || record.Status >= ServerError;
                (isTrouble ? _trouble : _good).Add(++_sequence, record);
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
                var (goodAt, goodRecord) = _good.FromNewest(good);
                var (troubleAt, troubleRecord) = _trouble.FromNewest(trouble);
                if (goodRecord is null && troubleRecord is null)
                {
                    break;
                }

                var record = goodAt > troubleAt ? goodRecord! : troubleRecord!;
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
        private readonly List<(long Sequence, ExchangeRecord Record)> _places = [];
        private int _next;

        public void Add(long sequence, ExchangeRecord record)
        {
            if (_places.Count < capacity)
            {
                _places.Add((sequence, record));
                return;
            }

            _places[_next] = (sequence, record);
            _next = (_next + 1) % capacity;
        }

        /// <summary>0 is the newest; no record beyond the oldest.</summary>
        public (long Sequence, ExchangeRecord? Record) FromNewest(int age) =>
            age < _places.Count ? _places[(_next + _places.Count - 1 - age) % _places.Count] : (0, null);
    }
}
