using Tidegate.Recording;

namespace Tidegate.Control.Otlp;

/// <summary>Sends records as spans or as log records, batch by batch and again while that may help.</summary>
/// <param name="queue">Where they wait.</param>
/// <param name="signal">What they become.</param>
/// <param name="encode">Makes a message of a batch.</param>
/// <param name="client">The way to the collector.</param>
/// <param name="note">Is told how each export went.</param>
/// <param name="time">The clock.</param>
internal sealed class RecordExport(RecordQueue queue, OtlpSignal signal, Action<ProtobufWriter, IReadOnlyList<ExchangeRecord>> encode, OtlpClient client, Action<OtlpSignal, string?> note, TimeProvider time)
{
    // A trace is complete in the collector soon after the call; when there are many they do not wait for it.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    private readonly ProtobufWriter _message = new();
    private readonly List<ExchangeRecord> _batch = new(RecordQueue.BatchSize);

    /// <summary>What was not sent.</summary>
    public int Left => queue.Count + _batch.Count;

    /// <summary>What is left, for people.</summary>
    public string Name => signal.Name;

    /// <summary>Waits until there is something to send, or may be.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => queue.WaitAsync(Interval, cancellationToken);

    /// <summary>Sends what waits.</summary>
    public async Task ExportAsync(CancellationToken cancellationToken)
    {
        while (queue.Take(_batch) > 0)
        {
            for (var wait = FirstRetry; !await SendAsync(isLast: false, cancellationToken); wait = wait * 2 < LongestRetry ? wait * 2 : LongestRetry)
            {
                await Task.Delay(wait, time, cancellationToken);
            }
        }
    }

    /// <summary>What a failed export left, then what came since; a collector that does not answer is not asked for every batch.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        for (var count = _batch.Count > 0 ? _batch.Count : queue.Take(_batch); count > 0; count = signal.LastError is null ? queue.Take(_batch) : 0)
        {
            await SendAsync(isLast: true, cancellationToken);
        }
    }

    /// <summary>Sends the batch. False when it is to be sent again; else it is empty afterwards.</summary>
    private async Task<bool> SendAsync(bool isLast, CancellationToken cancellationToken)
    {
        encode(_message, _batch);
        var result = await client.SendAsync(signal.Name, _message.Written, cancellationToken);
        note(signal, result.Error);
        if (result.IsWorthRetrying && !isLast)
        {
            return false;
        }

        if (result.Error is null)
        {
            signal.AddExported(_batch.Count - result.Refused);
            signal.AddRefused(result.Refused);
        }
        else if (result.IsWorthRetrying)
        {
            signal.AddDropped(_batch.Count);
        }
        else
        {
            signal.AddRefused(_batch.Count);
        }

        _batch.Clear();
        return true;
    }
}
