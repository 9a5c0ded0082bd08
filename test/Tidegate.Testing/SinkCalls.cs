using Tidegate.Recording;

namespace Tidegate.Testing;

/// <summary>Hands records to a sink as the recorder does.</summary>
public static class SinkCalls
{
    /// <summary>One batch, whose memory is another's afterwards.</summary>
    public static async Task TakeAsync(this IExchangeSink sink, IEnumerable<ExchangeRecord> records, CancellationToken cancellationToken)
    {
        ExchangeRecord[] batch = [.. records];
        await sink.WriteAsync(batch, cancellationToken);
        Array.Clear(batch);
    }
}
