using Tidegate.Recording;

namespace Tidegate.Control.Otlp;

/// <summary>Sends records as spans or as log records, batch by batch and again while that may help.</summary>
/// <param name="queue">Where they wait.</param>
/// <param name="signal">What they become.</param>
/// <param name="encode">Makes a message of as many of a batch's first as it holds; how many those are.</param>
/// <param name="client">The way to the collector.</param>
/// <param name="note">Is told how each export went.</param>
/// <param name="time">The clock.</param>
internal sealed class RecordExport(RecordQueue queue, OtlpSignal signal, Func<ProtobufWriter, IReadOnlyList<ExchangeRecord>, int> encode, OtlpClient client, Action<OtlpSignal, string?> note, TimeProvider time)
{
    // A trace is complete in the collector soon after the call; when there are many they do not wait for it.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    // As long as a collector itself tries by default (max_elapsed_time), which outlasts its restart; pauses that it asks for come on top. Beyond that the records that come are worth more than those that went before.
    private static readonly TimeSpan LongestTry = TimeSpan.FromMinutes(5);

    private readonly CollectorPause _pause = new(time);
    private readonly ProtobufWriter _message = new();
    private readonly List<ExchangeRecord> _batch = new(RecordQueue.BatchSize);

    /// <summary>What was not sent.</summary>
    public int Left => queue.Count + _batch.Count;

    /// <summary>What is left, for people.</summary>
    public string Name => signal.Name;

    /// <summary>Waits until there is something to send, or may be.</summary>
    public Task WaitAsync(CancellationToken stopping) => queue.WaitAsync(Interval, stopping);

    /// <summary>Sends what waits.</summary>
    /// <param name="stopping">Begins nothing more; what is under way goes on.</param>
    /// <param name="ended">Gives up what is under way too.</param>
    public async Task ExportAsync(CancellationToken stopping, CancellationToken ended)
    {
        while (!stopping.IsCancellationRequested && HasMore())
        {
            // When the batch before was given up, this one must not be sooner than it would have been.
            await WaitAsync(TimeSpan.Zero, stopping);

            // What it waits longer because it is asked to is not time in which it was tried: a collector that is still away when its pause is over has all of that time left.
            var (began, paused, isLast) = (time.GetTimestamp(), TimeSpan.Zero, false);
            for (var wait = FirstRetry; !await SendAsync(isLast, ended); wait = wait * 2 < LongestRetry ? wait * 2 : LongestRetry)
            {
                paused += _pause.Left is var left && left > wait ? left - wait : TimeSpan.Zero;
                await WaitAsync(wait, stopping);
                isLast = time.GetElapsedTime(began) - paused >= LongestTry;
            }
        }
    }

    /// <summary>What a failed export left, then what came since; a collector that does not answer is not asked for every batch.</summary>
    public async Task FinishAsync(CancellationToken ended)
    {
        for (var isTaken = true; isTaken && HasMore(); isTaken = signal.LastError is null)
        {
            await SendAsync(isLast: true, ended);
        }
    }

    /// <summary>So long, and as long as the collector asked for.</summary>
    private Task WaitAsync(TimeSpan wait, CancellationToken stopping) => Task.Delay(_pause.Left is var left && left > wait ? left : wait, time, stopping);

    private bool HasMore() => _batch.Count > 0 || queue.Take(_batch) > 0;

    /// <summary>Sends the batch, or as much of it as one message holds. False when that is to be sent again; else it is not in the batch afterwards.</summary>
    private async Task<bool> SendAsync(bool isLast, CancellationToken ended)
    {
        int count;
        ExportResult result;
        try
        {
            count = encode(_message, _batch);
            result = await client.SendAsync(signal.Name, _message.Written, ended);
        }
        catch (Exception bug) when (bug is not OperationCanceledException)
        {
            // It would fail the next time too.
            signal.AddDropped(_batch.Count);
            _batch.Clear();
            throw;
        }

        note(signal, result.Error);
        _pause.Begin(result.Pause);
        if (result.IsWorthRetrying && !isLast)
        {
            return false;
        }

        if (result.Error is null)
        {
            signal.AddExported(count - result.Refused);
            signal.AddRefused(result.Refused);
        }
        else if (result.IsWorthRetrying)
        {
            signal.AddDropped(count);
        }
        else
        {
            signal.AddRefused(count);
        }

        _batch.RemoveRange(0, count);
        return true;
    }
}
