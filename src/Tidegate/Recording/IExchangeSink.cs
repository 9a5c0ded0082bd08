namespace Tidegate.Recording;

/// <summary>Somewhere that records go: access log, metrics, traces, live view, store. Called from the recorder's own loop, never from traffic.</summary>
public interface IExchangeSink
{
    /// <summary>What metrics and the log call it, in snake_case.</summary>
    string Name { get; }

    /// <summary>
    /// Takes a batch, whose memory is used again after the call: what is to be kept must be copied. A sink that throws is counted and
    /// logged; the other sinks still get the batch.
    /// </summary>
    ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken);
}
