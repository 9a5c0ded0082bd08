using Tidegate.Recording;

namespace Tidegate.Control.Otlp;

/// <summary>Keeps records that are to become spans until they are sent; what finds no room is lost and counted.</summary>
internal sealed class SpanQueue(OtlpState state) : IExchangeSink
{
    /// <summary>4,096, some 4 MB: half a minute of a busy gateway that traces one call in a hundred, which outlasts a collector's restart.</summary>
    public const int Capacity = 4_096;

    private readonly Lock _gate = new();
    private readonly Queue<ExchangeRecord> _waiting = new();

    /// <inheritdoc/>
    public string Name => "otlp";

    public ValueTask WriteAsync(IReadOnlyList<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            foreach (var record in batch)
            {
                if (!record.Trace.HasSpan)
                {
                    continue;
                }

                if (_waiting.Count == Capacity)
                {
                    state.AddDropped(1);
                    continue;
                }

                _waiting.Enqueue(record);
            }
        }

        return default;
    }

    /// <summary>Records that wait.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count;
            }
        }
    }

    /// <summary>Moves up to so many into a batch, which is emptied first.</summary>
    public int Take(List<ExchangeRecord> batch, int most)
    {
        batch.Clear();
        lock (_gate)
        {
            while (batch.Count < most && _waiting.TryDequeue(out var record))
            {
                batch.Add(record);
            }
        }

        return batch.Count;
    }
}
