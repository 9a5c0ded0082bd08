using Tidegate.Control.Metrics;

namespace Tidegate.Control.Otlp;

/// <summary>Sends everything that is counted. Nothing is sent again: the next time it says the same and more.</summary>
/// <param name="write">Writes it down.</param>
/// <param name="resource">Who reports.</param>
/// <param name="signal">Counts.</param>
/// <param name="client">The way to the collector.</param>
/// <param name="note">Is told how each export went.</param>
/// <param name="time">The clock.</param>
internal sealed class MetricExport(Action<IMetricWriter> write, OtlpResource resource, OtlpSignal signal, OtlpClient client, Action<OtlpSignal, string?> note, TimeProvider time)
{
    private readonly DateTimeOffset _started = time.GetUtcNow();
    private readonly CollectorPause _pause = new(time);

    /// <summary>Sends it, unless the collector wants to be left alone for now.</summary>
    public Task ExportAsync(CancellationToken ended) => _pause.Left > TimeSpan.Zero ? Task.CompletedTask : FinishAsync(ended);

    /// <summary>Sends it all the same: there is no next time.</summary>
    public async Task FinishAsync(CancellationToken ended)
    {
        var encoder = new MetricEncoder(resource, _started, time.GetUtcNow());
        write(encoder);
        foreach (var message in encoder.Finish())
        {
            var result = await client.SendAsync(OtlpClient.Metrics, message, ended);
            note(signal, result.Error);
            _pause.Begin(result.Pause);
            if (result.Pause > TimeSpan.Zero)
            {
                return;
            }
        }
    }
}
