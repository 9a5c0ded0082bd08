using System.Collections.Concurrent;
using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>Makes one record of every exchange and hands them in batches to the sinks, on a loop of its own. Traffic never waits for it.</summary>
internal sealed class ExchangeRecorder : IExchangeRecorder, IAsyncDisposable
{
    // A second of heavy traffic: sinks that stand still longer than that lose records, which is counted, and never slow an exchange.
    private const int Capacity = 65_536;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly TimeProvider _time;
    private readonly IReadOnlyList<IExchangeSink> _sinks;
    private readonly Action<IExchangeSink, Exception> _onSinkFailure;
    private readonly long[] _sinkFailures;
    private readonly bool _keepQueryValues;
    private readonly ConcurrentQueue<ExchangeRecord> _queue = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private int _queued;
    private long _recorded;
    private long _dropped;

    public ExchangeRecorder(TimeProvider time, IReadOnlyList<IExchangeSink> sinks, bool keepQueryValues, Action<IExchangeSink, Exception> onSinkFailure)
    {
        _time = time;
        _sinks = sinks;
        _keepQueryValues = keepQueryValues;
        _onSinkFailure = onSinkFailure;
        _sinkFailures = new long[sinks.Count];
        _loop = LoopAsync();
    }

    /// <summary>Records that were handed to the sinks.</summary>
    public long Recorded => Interlocked.Read(ref _recorded);

    /// <summary>Records that found no room.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Batches that each sink lost.</summary>
    public IEnumerable<(string Sink, long Failures)> SinkFailures => _sinks.Select((sink, i) => (sink.Name, Interlocked.Read(ref _sinkFailures[i])));

    /// <inheritdoc/>
    public void Record(Exchange exchange)
    {
        if (Interlocked.Increment(ref _queued) > Capacity)
        {
            Interlocked.Decrement(ref _queued);
            Interlocked.Increment(ref _dropped);
            return;
        }

        _queue.Enqueue(Make(exchange));
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        await DrainAsync();
        _stopping.Dispose();
    }

    private async Task LoopAsync()
    {
        using var timer = new PeriodicTimer(Interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                await DrainAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping: the last batch is written by DisposeAsync.
            return;
        }
    }

    private async ValueTask DrainAsync()
    {
        var batch = new List<ExchangeRecord>();
        while (_queue.TryDequeue(out var record))
        {
            Interlocked.Decrement(ref _queued);
            batch.Add(record);
        }

        if (batch.Count == 0)
        {
            return;
        }

        Interlocked.Add(ref _recorded, batch.Count);
        for (var i = 0; i < _sinks.Count; i++)
        {
            try
            {
                await _sinks[i].WriteAsync(batch, CancellationToken.None);
            }
            catch (Exception failure)
            {
                // One sink's trouble must not cost the others their batch.
                Interlocked.Increment(ref _sinkFailures[i]);
                _onSinkFailure(_sinks[i], failure);
            }
        }
    }

    private ExchangeRecord Make(Exchange exchange)
    {
        var timings = exchange.Timings;
        var total = _time.GetElapsedTime(timings.Received, timings.Ended);
        var queue = TimeSpan.FromSeconds((double)timings.Queued / _time.TimestampFrequency);
        return new ExchangeRecord
        {
            Id = exchange.Id,
            Started = _time.GetUtcNow() - total,
            Direction = exchange.Direction,
            Api = exchange.ApiName,
            Endpoint = exchange.EndpointName,
            Consumer = exchange.Consumer,
            ClientAddress = exchange.ClientAddress.ToString(),
            ClientProtocol = exchange.ClientProtocol,
            Method = exchange.Method,
            Scheme = exchange.Target.Scheme,
            Host = exchange.Target.Host,
            Port = exchange.Target.Port,
            Path = exchange.Target.Path,
            Query = _keepQueryValues ? exchange.Target.Query : QueryMask.Mask(exchange.Target.Query),
            Status = exchange.Failure?.Kind == FailureKind.ClientAborted && exchange.ResponseStatus == 0 ? 0 : exchange.ResponseStatus,
            Outcome = exchange.Outcome,
            Reason = exchange.Rejection?.Policy ?? exchange.Failure?.Source.ToString().ToLowerInvariant() ?? "",
            Code = exchange.Rejection?.Code ?? exchange.Failure?.Code ?? "",
            Detail = exchange.Rejection?.Detail ?? exchange.Failure?.Detail ?? "",
            Observed = exchange.Observed,
            Attempts = exchange.Attempts,
            Destination = exchange.Destination,
            UpstreamProtocol = exchange.UpstreamProtocol,
            RequestBytes = exchange.RequestBodyBytes,
            ResponseBytes = exchange.ResponseBodyBytes,
            Queue = queue,
            Policies = _time.GetElapsedTime(timings.Received, timings.Forwarded == 0 ? timings.Ended : timings.Forwarded) - queue,
            Connect = timings.Connecting > 0 ? TimeSpan.FromSeconds((double)timings.Connecting / _time.TimestampFrequency) : TimeSpan.Zero,
            TimeToFirstByte = timings.ResponseStarted == 0 ? TimeSpan.Zero : _time.GetElapsedTime(timings.Forwarded, timings.ResponseStarted),
            Total = total,
            Trace = exchange.Trace,
        };
    }
}
