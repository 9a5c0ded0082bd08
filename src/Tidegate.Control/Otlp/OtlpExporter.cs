using Tidegate.Configuration;
using Tidegate.Control.Metrics;
using Tidegate.Recording;

namespace Tidegate.Control.Otlp;

/// <summary>
/// Sends spans and metrics to a collector, on loops of its own. A collector that does not answer costs spans, which is counted, and is
/// told once in the log and once when it answers again; traffic does not notice.
/// </summary>
internal sealed class OtlpExporter : IAsyncDisposable
{
    // A trace is complete in the collector soon after the call; when there are many spans they do not wait for it.
    private static readonly TimeSpan SpanInterval = TimeSpan.FromSeconds(1);

    // As often as Prometheus servers commonly scrape.
    private static readonly TimeSpan MetricInterval = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    // A collector that is gone must not hold up the end of the process.
    private static readonly TimeSpan LastFlush = TimeSpan.FromSeconds(3);

    private readonly OtlpSettings _settings;
    private readonly SpanQueue _spans;
    private readonly GatewayMetrics _metrics;
    private readonly OtlpState _state;
    private readonly OtlpResource _resource;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly OtlpClient _client;
    private readonly DateTimeOffset _started;
    private readonly ProtobufWriter _message = new();
    private readonly List<ExchangeRecord> _batch = new(SpanQueue.BatchSize);
    private readonly CancellationTokenSource _stopping = new();
    private Task _loops = Task.CompletedTask;

    public OtlpExporter(OtlpSettings settings, SpanQueue spans, GatewayMetrics metrics, OtlpState state, OtlpResource resource, Action<string> log, TimeProvider time)
    {
        _settings = settings;
        _spans = spans;
        _metrics = metrics;
        _state = state;
        _resource = resource;
        _log = log;
        _time = time;
        _client = new OtlpClient(settings, time);
        _started = time.GetUtcNow();
    }

    /// <summary>Begins to export.</summary>
    public void Start() => _loops = Task.WhenAll(
        LoopAsync(() => _spans.WaitAsync(SpanInterval, _stopping.Token), ExportSpansAsync),
        LoopAsync(() => Task.Delay(MetricInterval, _time, _stopping.Token), ExportMetricsAsync));

    /// <summary>Exports what is left, for a short time.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loops;
        using var patience = new CancellationTokenSource(LastFlush, _time);
        try
        {
            // What a failed export left, then what came since; a collector that does not answer is not asked for every batch.
            for (var count = _batch.Count > 0 ? _batch.Count : _spans.Take(_batch); count > 0; count = _state.Traces.LastError is null ? _spans.Take(_batch) : 0)
            {
                await SendSpansAsync(isLast: true, patience.Token);
            }

            await ExportMetricsAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _log($"OTLP: {_settings.Name} did not take the last metrics within {LastFlush.TotalSeconds:0} s.");
        }

        if (_spans.Count > 0)
        {
            _log($"OTLP: {_spans.Count} spans could not be sent to {_settings.Name} before the end.");
        }

        _client.Dispose();
        _stopping.Dispose();
    }

    private async Task LoopAsync(Func<Task> wait, Func<CancellationToken, Task> export)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await wait();
                await export(_stopping.Token);
            }
            catch (OperationCanceledException)
            {
                // Stopping: DisposeAsync sends the rest.
                return;
            }
            catch (Exception bug)
            {
                // One message that cannot be made must not end all exporting.
                _log($"OTLP: an export failed inside the gateway: {bug}");
            }
        }
    }

    private async Task ExportSpansAsync(CancellationToken cancellationToken)
    {
        while (_spans.Take(_batch) > 0)
        {
            for (var wait = FirstRetry; !await SendSpansAsync(isLast: false, cancellationToken); wait = wait * 2 < LongestRetry ? wait * 2 : LongestRetry)
            {
                await Task.Delay(wait, _time, cancellationToken);
            }
        }
    }

    /// <summary>Sends the batch. False when it is to be sent again; else it is empty afterwards.</summary>
    private async Task<bool> SendSpansAsync(bool isLast, CancellationToken cancellationToken)
    {
        SpanEncoder.Encode(_message, _resource, _batch);
        var result = await _client.SendAsync(OtlpClient.Traces, _message.Written, cancellationToken);
        Note(_state.Traces, result.Error);
        if (result.IsWorthRetrying && !isLast)
        {
            return false;
        }

        if (result.Error is null)
        {
            _state.AddExported(_batch.Count - result.Refused);
            _state.AddRefused(result.Refused);
        }
        else if (result.IsWorthRetrying)
        {
            _state.AddDropped(_batch.Count);
        }
        else
        {
            _state.AddRefused(_batch.Count);
        }

        _batch.Clear();
        return true;
    }

    private async Task ExportMetricsAsync(CancellationToken cancellationToken)
    {
        var encoder = new MetricEncoder(_resource, _started, _time.GetUtcNow());
        _metrics.Write(encoder);
        foreach (var message in encoder.Finish())
        {
            // Not sent again: the next one is cumulative and says the same and more.
            var result = await _client.SendAsync(OtlpClient.Metrics, message, cancellationToken);
            Note(_state.Metrics, result.Error);
        }
    }

    private void Note(OtlpSignal signal, string? error)
    {
        if (signal.Note(error))
        {
            _log(error is null
                ? $"OTLP: {signal.Name} reach {_settings.Name} again."
                : $"OTLP: {signal.Name} do not reach {_settings.Name}: {error}. Traffic is not affected; exporting goes on trying.");
        }
    }
}
