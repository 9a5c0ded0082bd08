using System.Diagnostics;
using System.Numerics;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Recording;

/// <summary>
/// Makes one record of every exchange and hands them in batches to the sinks, on a thread of its own. Traffic never waits for it: an
/// exchange copies what is kept into a slot of its core's lane. The thread sleeps while there is nothing to record, and gives way to traffic.
/// </summary>
internal sealed class ExchangeRecorder : IExchangeRecorder, IAsyncDisposable
{
    // 65,536 records, a second of heavy traffic: sinks that stand still longer than that lose records, which is counted, and never slow an exchange.
    private const int MaxBlocks = 512;

    // Live enough for a page that shows traffic as it happens, and long enough that a batch is worth a system call. By the machine's clock, because nothing that
    // is recorded depends on it.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    // What a core still has in its cache: records that waited for the end of the interval would be read from memory, and push out of the cache what traffic needs.
    private const int HurryBlocks = 4;

    private readonly IReadOnlyList<IExchangeSink> _sinks;
    private readonly Action<IExchangeSink, Exception> _onSinkFailure;
    private readonly long[] _sinkFailures;
    private readonly RecordMaker _maker;
    private readonly RecordBlocks _blocks = new(MaxBlocks);
    private readonly RecordLane[] _lanes = new RecordLane[BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount)];
    private readonly RecordSweep _sweep;

    // The kernel's own events: one that spins before it sleeps would take from traffic what it waits for.
#pragma warning disable CA2213 // Never disposed: an exchange that outlived the drain may be about to set one. The finalizer gives them back.
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly AutoResetEvent _hurry = new(initialState: false);
#pragma warning restore CA2213
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isArmed;
    private int _isHurried;
    private volatile bool _isStopping;
    private volatile bool _isClosed;
    private long _recorded;
    private long _dropped;
    private long _rests;

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

        _sweep = new RecordSweep(_lanes, _blocks);

        new Thread(Run) { IsBackground = true, Name = "Tidegate recorder" }.UnsafeStart();
    }

    /// <summary>Records that were handed to the sinks.</summary>
    public long Recorded => Interlocked.Read(ref _recorded);

    /// <summary>Records that found no room.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>How often the thread has waited for records to come together.</summary>
    public long Rests => Interlocked.Read(ref _rests);

    /// <summary>Batches that each sink lost.</summary>
    public IEnumerable<(string Sink, long Failures)> SinkFailures => _sinks.Select((sink, i) => (sink.Name, Interlocked.Read(ref _sinkFailures[i])));

    /// <inheritdoc/>
    public void Record(Exchange exchange)
    {
        if (_isClosed)
        {
            // Its connection outlived the drain: nobody reads any more.
            Interlocked.Increment(ref _dropped);
            return;
        }

        switch (_lanes[Thread.GetCurrentProcessorId() & (_lanes.Length - 1)].Add(_maker, exchange))
        {
            case LaneResult.Lost:
                Interlocked.Increment(ref _dropped);
                return;

            // The thread looks at every lane once more after it has disarmed: whoever adds later finds it disarmed, and wakes it.
            case LaneResult.First when Volatile.Read(ref _isArmed) == 0 && Interlocked.Exchange(ref _isArmed, 1) == 0:
                _wake.Set();
                return;

            case LaneResult.Full when _blocks.Waiting >= HurryBlocks && Interlocked.Exchange(ref _isHurried, 1) == 0:
                _hurry.Set();
                return;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _isStopping = true;
        _hurry.Set();
        _wake.Set();
        await _ended.Task;

    }

    private void Run()
    {
        SchedulingHint.GivesWay();
        while (!_isStopping)
        {
            _wake.WaitOne();
            do
            {
                Rest();
            }
            while (Drain() || !Disarm());
        }

        // What was recorded last. Who comes after this look is counted as lost.
        _isClosed = true;
        foreach (var lane in _lanes)
        {
            lane.Close();
        }

        _sweep.Take(DateTimeOffset.MaxValue);
        HandOverAll();
        _ended.SetResult();
    }

    private void Rest()
    {
        Interlocked.Increment(ref _rests);
        if (!_isStopping)
        {
            _hurry.WaitOne(Interval);
        }

        Volatile.Write(ref _isHurried, 0);
    }

    /// <summary>False when somebody added a record that would not wake the thread any more.</summary>
    private bool Disarm()
    {
        Interlocked.Exchange(ref _isArmed, 0);
        return !Drain() || Interlocked.Exchange(ref _isArmed, 1) == 1;
    }

    /// <summary>Hands over what is there. False when that is nothing, and nothing is left for the next time.</summary>
    private bool Drain()
    {
        _sweep.Take(_maker.Now);
        return HandOverAll() || _sweep.HasMore;
    }

    private bool HandOverAll()
    {
        var hasAny = false;
        while (_blocks.Dequeue() is { } block)
        {
            hasAny = true;
            _maker.Complete(block.Records);
            Interlocked.Add(ref _recorded, block.Count);
            HandOver(block.Memory);
            _blocks.Return(block);
        }

        return hasAny;
    }

    private void HandOver(ReadOnlyMemory<ExchangeRecord> batch)
    {
        for (var i = 0; i < _sinks.Count; i++)
        {
            try
            {
                var writing = _sinks[i].WriteAsync(batch, CancellationToken.None);
                if (!writing.IsCompletedSuccessfully)
                {
                    // The next batch waits for this one in any case, and the thread is the recorder's own.
                    writing.AsTask().GetAwaiter().GetResult();
                }
            }
            catch (Exception failure)
            {
                // One sink's trouble must not cost the others their batch.
                Interlocked.Increment(ref _sinkFailures[i]);
                Tell(_sinks[i], failure);
            }
        }
    }

    private void Tell(IExchangeSink sink, Exception failure)
    {
        try
        {
            _onSinkFailure(sink, failure);
        }
        catch (Exception unsaid)
        {
            // The full disk that a sink cannot write to may be the log's as well. It is counted, and the records go on.
            Debug.WriteLine(unsaid);
        }
    }
}
