using Tidegate.Configuration;
using Tidegate.Control.Metrics;

namespace Tidegate.Control.Otlp;

/// <summary>
/// Sends spans, metrics and logs to a collector, on loops of its own. A collector that does not answer costs spans and logs, which is counted, and is
/// told once in the log and once when it answers again; traffic does not notice.
/// </summary>
internal sealed class OtlpExporter : IAsyncDisposable
{
    // As often as Prometheus servers commonly scrape.
    private static readonly TimeSpan MetricInterval = TimeSpan.FromSeconds(15);

    // A collector that is gone must not hold up the end of the process.
    private static readonly TimeSpan LastFlush = TimeSpan.FromSeconds(3);

    private readonly OtlpSettings _settings;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly OtlpClient _client;
    private readonly MetricExport _metrics;
    private readonly RecordExport[] _exports;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _ended = new();
    private Task[] _loops;

    public OtlpExporter(OtlpSettings settings, RecordQueue spans, RecordQueue? logs, GatewayMetrics metrics, OtlpState state, OtlpResource resource, Action<string> log, TimeProvider time)
    {
        _settings = settings;
        _log = log;
        _time = time;
        _client = new OtlpClient(settings, time);
        _metrics = new MetricExport(metrics.Write, resource, state.Metrics, _client, Note, time);
        var traces = new RecordExport(spans, state.Traces, (message, batch) => SpanEncoder.Encode(message, resource, batch), _client, Note, time);
        _exports = logs is null ? [traces] : [traces, new RecordExport(logs, state.Logs, (message, batch) => LogEncoder.Encode(message, resource, batch), _client, Note, time)];
        _loops = [.. _exports.Select(_ => Task.CompletedTask), Task.CompletedTask];
    }

    /// <summary>Begins to export.</summary>
    public void Start() => _loops =
    [
        .. _exports.Select(export => LoopAsync(() => export.WaitAsync(_stopping.Token), () => export.ExportAsync(_stopping.Token, _ended.Token))),
        LoopAsync(() => Task.Delay(MetricInterval, _time, _stopping.Token), () => _metrics.ExportAsync(_ended.Token)),
    ];

    /// <summary>Exports what is left, for a short time. What is under way is let finish and not sent again; no signal waits for another.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        using (var patience = new CancellationTokenSource(LastFlush, _time))
        using (patience.Token.UnsafeRegister(static ended => ((CancellationTokenSource)ended!).Cancel(), _ended))
        {
            await Task.WhenAll(
            [
                .. _exports.Select((export, i) => FinishAsync(_loops[i], export.Name, () => export.FinishAsync(_ended.Token))),
                FinishAsync(_loops[^1], OtlpClient.Metrics, () => _metrics.FinishAsync(_ended.Token)),
            ]);
        }

        foreach (var export in _exports.Where(export => export.Left > 0))
        {
            _log($"OTLP: {export.Left} records of {export.Name} could not be sent to {_settings.Name} before the end.");
        }

        _client.Dispose();
        _stopping.Dispose();
        _ended.Dispose();
    }

    private async Task FinishAsync(Task loop, string signal, Func<Task> finish)
    {
        await loop;
        try
        {
            await finish();
        }
        catch (OperationCanceledException)
        {
            _log($"OTLP: {_settings.Name} did not take the last {signal} within {LastFlush.TotalSeconds:0} s.");
        }
        catch (Exception bug)
        {
            Tell(bug);
        }
    }

    private async Task LoopAsync(Func<Task> wait, Func<Task> export)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await wait();
                await export();
            }
            catch (OperationCanceledException)
            {
                // Stopping: DisposeAsync sends the rest.
                return;
            }
            catch (Exception bug)
            {
                // One message that cannot be made must not end all exporting.
                Tell(bug);
            }
        }
    }

    private void Tell(Exception bug) => _log($"OTLP: an export failed inside the gateway: {bug}");

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
