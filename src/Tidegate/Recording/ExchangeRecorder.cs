using System.Numerics;
using System.Runtime.InteropServices;
using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>
/// Makes one record of every exchange and hands them in batches to the sinks, on a loop of its own. Traffic never waits for it: an
/// exchange copies what is kept into a slot of its core's lane. The loop sleeps while there is nothing to record.
/// </summary>
internal sealed class ExchangeRecorder : IExchangeRecorder, IAsyncDisposable
{
    // 65,536 records, a second of heavy traffic: sinks that stand still longer than that lose records, which is counted, and never slow an exchange.
    private const int MaxBlocks = 512;

    // Live enough for a page that shows traffic as it happens, and long enough that a batch is worth a system call.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly IReadOnlyList<IExchangeSink> _sinks;
    private readonly Action<IExchangeSink, Exception> _onSinkFailure;
    private readonly long[] _sinkFailures;
    private readonly RecordMaker _maker;
    private readonly RecordBlocks _blocks = new(MaxBlocks);
    private readonly RecordLane[] _lanes = new RecordLane[BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount)];
    private readonly List<RecordBlock> _begun = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly ITimer _timer;
    private readonly Task _loop;
    private int _isArmed;
    private long _recorded;
    private long _dropped;

    public ExchangeRecorder(TimeProvider time, IReadOnlyList<IExchangeSink> sinks, bool keepQueryValues, Action<IExchangeSink, Exception> onSinkFailure)
    {
        _sinks = sinks;
        _onSinkFailure = onSinkFailure;
        _sinkFailures = new long[sinks.Count];
        _maker = new RecordMaker(time, keepQueryValues);
        for (var i = 0; i < _lanes.Length; i++)
        {
            _lanes[i] = new RecordLane(_blocks);
        }

        _timer = time.CreateTimer(static wake => ((SemaphoreSlim)wake!).Release(), _wake, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
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
        switch (_lanes[Thread.GetCurrentProcessorId() & (_lanes.Length - 1)].Add(_maker, exchange))
        {
            case null:
                Interlocked.Increment(ref _dropped);
                return;

            // The loop looks at every lane after it has disarmed: whoever adds later finds it disarmed, and its record waits for the next time.
            case true when Volatile.Read(ref _isArmed) == 0 && Interlocked.Exchange(ref _isArmed, 1) == 0:
                _timer.Change(Interval, Timeout.InfiniteTimeSpan);
                return;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        await DrainAsync();
        await _timer.DisposeAsync();
        _stopping.Dispose();
        _wake.Dispose();
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                await _wake.WaitAsync(_stopping.Token);
                Interlocked.Exchange(ref _isArmed, 0);
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
        CollectBegun();
        while (_blocks.Dequeue() is { } block)
        {
            _maker.Complete(block.Records);
            Interlocked.Add(ref _recorded, block.Count);
            await HandOverAsync(block.Memory);
            _blocks.Return(block);
        }
    }

    private void CollectBegun()
    {
        _begun.Clear();
        foreach (var lane in _lanes)
        {
            if (lane.TakeBegun() is { } block)
            {
                _begun.Add(block);
            }
        }

        var merged = _begun.Count == 0 ? null : RecordMerge.TryMerge(CollectionsMarshal.AsSpan(_begun));
        foreach (var block in _begun)
        {
            if (merged is null || block == merged)
            {
                _blocks.Enqueue(block);
            }
            else
            {
                _blocks.Return(block);
            }
        }
    }

    private async ValueTask HandOverAsync(ReadOnlyMemory<ExchangeRecord> batch)
    {
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
}
