namespace Tidegate.Recording;

/// <summary>Somewhere that records go: access log, traces, live view, store. Called from the recorder's own loop, never from traffic.</summary>
public interface IExchangeSink
{
    /// <summary>Takes a batch. A sink that throws is counted and logged; the other sinks still get the batch.</summary>
    ValueTask WriteAsync(IReadOnlyList<ExchangeRecord> batch, CancellationToken cancellationToken);
}
