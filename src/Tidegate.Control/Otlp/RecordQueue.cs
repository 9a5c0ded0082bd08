using Tidegate.Recording;

namespace Tidegate.Control.Otlp;

/// <summary>Keeps records that are to become spans or log records until they are sent; what finds no room is lost and counted.</summary>
/// <param name="signal">What they become.</param>
/// <param name="isWanted">Which do.</param>
internal sealed class RecordQueue(OtlpSignal signal, Func<ExchangeRecord, bool> isWanted) : IExchangeSink
{
    /// <summary>4,096, some 4 MB: half a minute of a busy gateway that traces one call in a hundred, which outlasts a collector's restart. Of logs, which are of every call, as long as 4,096 calls take.</summary>
    public const int Capacity = 4_096;

    /// <summary>512, half a megabyte: as many as are sent together, in every OpenTelemetry SDK too.</summary>
    public const int BatchSize = 512;

    private readonly SemaphoreSlim _batchWaits = new(0);
    private readonly Lock _gate = new();
    private readonly Queue<ExchangeRecord> _waiting = new();

    /// <inheritdoc/>
    public string Name => "otlp " + signal.Name;

    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            foreach (ref readonly var record in batch.Span)
            {
                if (!isWanted(record))
                {
                    continue;
                }

                if (_waiting.Count == Capacity)
                {
                    signal.AddDropped(1);
                    continue;
                }

                _waiting.Enqueue(record);
            }

            if (_waiting.Count >= BatchSize && _batchWaits.CurrentCount == 0)
            {
                _batchWaits.Release();
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

    /// <summary>Waits until a whole batch is there, or so long.</summary>
    public Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken) => _batchWaits.WaitAsync(longest, cancellationToken);

    /// <summary>Moves up to a batch's size into a list, which is emptied first.</summary>
    public int Take(List<ExchangeRecord> batch)
    {
        batch.Clear();
        lock (_gate)
        {
            while (batch.Count < BatchSize && _waiting.TryDequeue(out var record))
            {
                batch.Add(record);
            }
        }

        return batch.Count;
    }
}
