using Tidegate.Control.Otlp;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class RecordQueueTests
{
    private static readonly ExchangeRecord Traced = TestRecords.Ingress with { Trace = new TraceContext(1, 2, 3, 0, TraceContext.SampledFlag) };

    private readonly OtlpSignal _signal = new("traces");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Only_exchanges_with_a_span_of_ours_wait()
    {
        var queue = new RecordQueue(_signal, record => record.Trace.HasSpan);
        await queue.TakeAsync([TestRecords.Ingress, Traced, TestRecords.Ingress with { Trace = new TraceContext(1, 2, 0, 3, 0) }], Cancellation);

        Assert.Equal(1, queue.Count);
    }

    [Fact]
    public async Task A_whole_batch_does_not_wait_for_the_clock()
    {
        var queue = new RecordQueue(_signal, record => record.Trace.HasSpan);
        var batch = new List<ExchangeRecord>();
        var waiting = queue.WaitAsync(TimeSpan.FromMinutes(10), Cancellation);
        await queue.TakeAsync([.. Enumerable.Repeat(Traced, RecordQueue.BatchSize - 1)], Cancellation);
        Assert.False(waiting.IsCompleted);

        await queue.TakeAsync([Traced, Traced], Cancellation);
        await waiting;
        Assert.Equal((RecordQueue.BatchSize, 1, 0), (queue.Take(batch), queue.Take(batch), queue.Take(batch)));
    }

    [Fact]
    public async Task What_finds_no_room_is_lost_and_counted()
    {
        var queue = new RecordQueue(_signal, record => record.Trace.HasSpan);
        await queue.TakeAsync([.. Enumerable.Repeat(Traced, RecordQueue.Capacity + 10)], Cancellation);

        Assert.Equal((RecordQueue.Capacity, 10), (queue.Count, _signal.ItemsDropped));
    }
}
