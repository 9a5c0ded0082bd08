using System.IO.Pipelines;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Edge;

public sealed class StallTimerTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new();
    private readonly Deadlines _deadlines;
    private readonly Pipe _pipe = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 4, resumeWriterThreshold: 2, useSynchronizationContext: false));

    public StallTimerTests() => _deadlines = new Deadlines(_time);

    public void Dispose() => _deadlines.Dispose();

    [Fact]
    public async Task A_client_that_does_not_read_for_as_long_as_allowed_has_stalled()
    {
        using var timer = new StallTimer(_pipe.Writer, _deadlines);
        var waiting = Write(timer);

        _time.Advance(Limit - TimeSpan.FromSeconds(1));
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(2));

        Assert.True(waiting.IsCompleted);
        var stalled = await Assert.ThrowsAsync<MessageBodyException>(() => waiting);
        Assert.Equal(FailureKind.ClientStalled, stalled.Failure.Kind);
    }

    [Fact]
    public async Task A_client_that_reads_in_time_has_as_long_again_for_the_next()
    {
        using var timer = new StallTimer(_pipe.Writer, _deadlines);
        for (var i = 0; i < 5; i++)
        {
            var waiting = Write(timer);
            _time.Advance(Limit - TimeSpan.FromSeconds(1));
            Assert.True(_pipe.Reader.TryRead(out var read));
            _pipe.Reader.AdvanceTo(read.Buffer.End);

            Assert.True(waiting.IsCompleted);
            Assert.False((await waiting).IsCanceled);
        }
    }

    [Fact]
    public async Task Between_answers_no_time_runs()
    {
        using var timer = new StallTimer(_pipe.Writer, _deadlines);
        var waiting = Write(timer);
        Assert.True(_pipe.Reader.TryRead(out var read));
        _pipe.Reader.AdvanceTo(read.Buffer.End);
        await waiting;

        _time.Advance(10 * Limit);

        Assert.False((await Write(timer, bytes: 1)).IsCanceled);
    }

    [Fact]
    public void Nothing_of_it_stays_behind()
    {
        using (var timer = new StallTimer(_pipe.Writer, _deadlines))
        {
            _ = Write(timer);
            Assert.Equal(1, _deadlines.Count);
        }

        Assert.Equal(0, _deadlines.Count);
    }

    private Task<FlushResult> Write(StallTimer timer, int bytes = 8)
    {
        _pipe.Writer.GetSpan(bytes)[..bytes].Clear();
        _pipe.Writer.Advance(bytes);
        return timer.WaitAsync(_pipe.Writer.FlushAsync(TestContext.Current.CancellationToken), Limit).AsTask();
    }
}
