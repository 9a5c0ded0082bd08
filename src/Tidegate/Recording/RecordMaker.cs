using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>Reads off an exchange what is kept of it. On the request path: copies, and leaves to the recorder's loop what would allocate.</summary>
internal sealed class RecordMaker(TimeProvider time, bool keepQueryValues)
{
    // Longer ones are not looked at by people, and clients choose them: thousands of records are kept in memory.
    private const int MaxPathLength = 1024;

    // No longer one gets beyond the edge; whatever lets one through, records do not grow by it.
    private const int MaxMethodLength = 32;

    private readonly long _ticksPerSecond = time.TimestampFrequency;
    private readonly WallClock _clock = new(time);

    /// <summary>By the clock of the records.</summary>
    public DateTimeOffset Now => _clock.At(time.GetTimestamp());

    /// <summary>Fills a record but for its query, which is <see cref="Complete"/>'s.</summary>
    public void Make(Exchange exchange, out ExchangeRecord record)
    {
        ref readonly var timings = ref exchange.Timings;
        var total = time.GetElapsedTime(timings.Received, timings.Ended);
        var queue = Duration(timings.Queued);
        record = new ExchangeRecord
        {
            Id = exchange.Id,
            Started = _clock.At(timings.Ended) - total,
            Direction = exchange.Direction,
            Api = exchange.ApiName,
            Endpoint = exchange.EndpointName,
            Consumer = exchange.Consumer,
            ClientAddress = exchange.ClientAddress,
            ClientProtocol = exchange.ClientProtocol,
            Method = exchange.Method.Length > MaxMethodLength ? exchange.Method[..MaxMethodLength] : exchange.Method,
            Scheme = exchange.Target.Scheme,
            Host = exchange.Target.Host,
            Port = exchange.Target.Port,
            Path = Cut(exchange.Target.Path),
            Query = Cut(exchange.Target.Query),
            Status = exchange.ResponseStatus,
            Outcome = exchange.Outcome,
            Reason = exchange.Rejection?.Policy ?? (exchange.Failure is { } failure ? ExchangeWords.Of(failure.Source) : ""),
            Code = exchange.Rejection?.Code ?? exchange.Failure?.Code ?? "",
            Detail = exchange.Rejection?.Detail ?? exchange.Failure?.Detail ?? "",
            Observed = exchange.Observed,
            Cache = exchange.Cache,
            IsCacheOverridden = exchange.IsCacheOverridden,
            QueuePosition = exchange.QueuePosition,
            ProviderSignal = exchange.Signal,
            UnreadCosts = exchange.UnreadCosts,
            CachePurges = exchange.CachePurges,
            Attempts = exchange.Attempts,
            Cost = exchange.Cost,
            Retries = exchange.Retries,
            Destination = exchange.Destination,
            Region = exchange.Region,
            Credential = exchange.ProviderKey?.Name ?? "",
            UpstreamProtocol = exchange.UpstreamProtocol,
            Auth = exchange.SentAuth,
            RequestBytes = exchange.RequestBodyBytes,
            ResponseBytes = exchange.ResponseBodyBytes,
            Queue = queue,
            Policies = timings.Forwarded == 0 ? total - queue : Duration(timings.Forwarded - timings.Received - timings.QueuedBefore),
            Connect = Duration(timings.Connecting),
            TimeToFirstByte = timings.ResponseStarted == 0 ? TimeSpan.Zero : time.GetElapsedTime(timings.Forwarded, timings.ResponseStarted),
            Total = total,
            Trace = exchange.Trace,
        };
    }

    /// <summary>Masks the queries of records, which makes strings; called before any sink sees them.</summary>
    public void Complete(Span<ExchangeRecord> records)
    {
        _clock.Refresh();
        if (keepQueryValues)
        {
            return;
        }

        foreach (ref var record in records)
        {
            if (!string.IsNullOrEmpty(record.Query))
            {
                record = record with { Query = QueryMask.Mask(record.Query) };
            }
        }
    }

    // Cut here and not later: while sinks stand still the records wait as they are.
    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(text))]
    private static string? Cut(string? text) => text is { Length: > MaxPathLength } ? string.Concat(text.AsSpan(0, MaxPathLength), "...") : text;

    private TimeSpan Duration(long ticks) => ticks > 0 ? TimeSpan.FromSeconds((double)ticks / _ticksPerSecond) : TimeSpan.Zero;
}
