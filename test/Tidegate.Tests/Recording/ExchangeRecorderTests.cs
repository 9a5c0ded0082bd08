using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Recording;

public sealed class ExchangeRecorderTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.Zero };

    [Fact]
    public async Task Every_exchange_of_many_threads_is_handed_to_every_sink_once()
    {
        const int Threads = 4;
        const int Each = 10_000;
        var first = new CountingSink();
        var second = new CountingSink();
        await using (var recorder = Recorder(TimeProvider.System, first, second))
        {
            var threads = Enumerable.Range(0, Threads).Select(thread => new Thread(() =>
            {
                for (var i = 0; i < Each; i++)
                {
                    recorder.Record(Exchange((ulong)((thread * Each) + i)));
                    if (i % 1_000 == 0)
                    {
                        // Lets the loop catch up: whether it keeps up with threads that do nothing else is not what is asked here.
                        Thread.Sleep(10);
                    }
                }
            })).ToList();
            threads.ForEach(thread => thread.Start());
            threads.ForEach(thread => thread.Join());
        }

        Assert.Equal(Enumerable.Range(0, Threads * Each).Select(id => (ulong)id), first.Ids.Order());
        Assert.Equal(first.Ids, second.Ids);
    }

    [Fact]
    public async Task A_record_says_what_its_exchange_was_however_its_slot_was_used_before()
    {
        var sink = new CountingSink();
        await using (var recorder = Recorder(_time, sink))
        {
            for (var round = 0; round < 3; round++)
            {
                recorder.Record(Exchange(1, "/first?key=secret"));
                recorder.Record(Exchange(2, "/second"));
                await PassAsync(() => sink.Ids.Count == 2 * (round + 1));
            }
        }

        Assert.Equal(["/first", "/second", "/first", "/second", "/first", "/second"], sink.Records.Select(record => record.Path));
        Assert.Equal(["key=***", null, "key=***", null, "key=***", null], sink.Records.Select(record => record.Query));
    }

    [Fact]
    public async Task Query_values_are_kept_only_where_that_was_asked_for()
    {
        var sink = new CountingSink();
        await using (var recorder = new ExchangeRecorder(_time, [sink], keepQueryValues: true, (_, failure) => throw failure))
        {
            recorder.Record(Exchange(1, "/first?key=value"));
        }

        Assert.Equal("key=value", sink.Records[0].Query);
    }

    [Fact]
    public async Task A_recorder_without_exchanges_does_not_wake()
    {
        var sink = new CountingSink();
        await using var recorder = Recorder(_time, sink);

        await Task.Delay(200, TestContext.Current.CancellationToken);
        Assert.Equal(0, recorder.Rests);

        recorder.Record(Exchange(1));
        await PassAsync(() => sink.Batches == 1);

        // It waits for more that may come, once in vain.
        await PassAsync(() => recorder.Rests == 2);
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Assert.Equal(2, recorder.Rests);
    }

    [Fact]
    public async Task Sinks_that_stand_still_cost_records_and_never_an_exchange()
    {
        const int Exchanges = 200_000;
        var sink = new CountingSink { Hold = new TaskCompletionSource() };
        await using (var recorder = Recorder(TimeProvider.System, sink))
        {
            for (var i = 0; i < Exchanges; i++)
            {
                recorder.Record(Exchange((ulong)i));
            }

            Assert.InRange(recorder.Dropped, Exchanges - 65_536, Exchanges - 60_000);
            sink.Hold.SetResult();
        }

        Assert.InRange(sink.Ids.Count, 60_000, 65_536);
        Assert.Equal(sink.Ids.Count, sink.Ids.Distinct().Count());
    }

    [Fact]
    public async Task Records_of_a_quiet_time_come_in_the_order_of_ending_whichever_thread_made_them()
    {
        const int Exchanges = 100;
        var sink = new CountingSink { Hold = new TaskCompletionSource() };
        await using (var recorder = Recorder(TimeProvider.System, sink))
        {
            // While the first is handed over the others come together: one that is recorded while batches are being made may be in either.
            recorder.Record(Exchange(0));
            await PassAsync(() => sink.IsHeld);
            for (var i = 1; i < Exchanges; i++)
            {
                var thread = new Thread(id =>
                {
                    var exchange = Exchange((ulong)(int)id!);
                    exchange.Timings.Received = exchange.Timings.Ended = TimeProvider.System.GetTimestamp();
                    recorder.Record(exchange);
                });
                thread.Start(i);
                thread.Join();
            }

            sink.Hold.SetResult();
        }

        Assert.Equal(Enumerable.Range(0, Exchanges).Select(id => (ulong)id), sink.Ids);
    }

    [Fact]
    public async Task A_sink_that_throws_is_counted_and_the_others_get_the_batch()
    {
        var failures = new List<string>();
        var good = new CountingSink();
        var recorder = new ExchangeRecorder(_time, [new ThrowingSink(), good], keepQueryValues: false, (sink, failure) => failures.Add($"{sink.Name}: {failure.Message}"));
        recorder.Record(Exchange(7));
        await recorder.DisposeAsync();

        Assert.Equal([7UL], good.Ids);
        Assert.Equal(["throwing: the disk is full"], failures);
        Assert.Equal([("throwing", 1L), ("counting", 0L)], recorder.SinkFailures);
    }

    [Fact]
    public async Task Whoever_is_told_of_a_failure_may_fail_too_and_the_records_go_on()
    {
        var good = new CountingSink();
        await using var recorder = new ExchangeRecorder(_time, [new ThrowingSink(), good], keepQueryValues: false, (_, _) => throw new IOException("the log's disk is full"));
        for (var round = 1; round <= 3; round++)
        {
            recorder.Record(Exchange((ulong)round));
            await PassAsync(() => good.Ids.Count == round);
        }

        Assert.Equal(3, recorder.SinkFailures.First().Failures);
    }

    [Fact]
    public async Task What_ends_after_the_recorder_is_counted_as_lost()
    {
        var sink = new CountingSink();
        var recorder = Recorder(_time, sink);
        recorder.Record(Exchange(1));
        await recorder.DisposeAsync();
        recorder.Record(Exchange(2));

        Assert.Equal([1UL], sink.Ids);
        Assert.Equal(1, recorder.Dropped);
    }

    [Fact]
    public async Task What_a_client_chose_to_be_long_is_cut()
    {
        var sink = new CountingSink();
        await using (var recorder = Recorder(_time, sink))
        {
            recorder.Record(Exchange(1, "/" + new string('p', 8_000) + "?" + string.Join('&', Enumerable.Repeat("name=value", 700))));
        }

        Assert.InRange(sink.Records[0].Path.Length, 1_000, 1_030);
        Assert.InRange(sink.Records[0].Query!.Length, 500, 1_030);
    }

    [Fact]
    public async Task Waits_between_attempts_are_no_part_of_what_policies_took()
    {
        var sink = new CountingSink();
        await using (var recorder = Recorder(_time, sink))
        {
            var exchange = Exchange(1);
            var second = _time.TimestampFrequency;
            exchange.Timings = new ExchangeTimings { Received = 1, Forwarded = 1 + (2 * second), QueuedBefore = second, Queued = 5 * second, Ended = 1 + (10 * second) };
            recorder.Record(exchange);
        }

        Assert.Equal((TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5)), (sink.Records[0].Policies, sink.Records[0].Queue));
    }

    private static ExchangeRecorder Recorder(TimeProvider time, params IExchangeSink[] sinks) => new(time, sinks, keepQueryValues: false, (_, failure) => throw failure);

    private static Exchange Exchange(ulong id, string target = "/")
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Id = id, Method = "GET" };
        var query = target.IndexOf('?', StringComparison.Ordinal);
        exchange.Target = new ExchangeTarget("http", "api.example.com", 80, query < 0 ? target : target[..query], query < 0 ? null : target[(query + 1)..]);
        exchange.Answer(Outcome.Forwarded, 200);
        return exchange;
    }

    private async Task PassAsync(Func<bool> isDone)
    {
        for (var started = TimeProvider.System.GetTimestamp(); !isDone(); await Task.Delay(1, TestContext.Current.CancellationToken))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, "The records did not come.");
        }
    }

    private sealed class CountingSink : IExchangeSink
    {
        private readonly Lock _gate = new();
        private readonly List<ExchangeRecord> _records = [];
        private bool _isHeld;

        public string Name => "counting";

        public TaskCompletionSource? Hold { get; init; }

        public int Batches { get; private set; }

        /// <summary>It has a batch that it does not take yet.</summary>
        public bool IsHeld => Volatile.Read(ref _isHeld);

        public IReadOnlyList<ExchangeRecord> Records
        {
            get
            {
                lock (_gate)
                {
                    return [.. _records];
                }
            }
        }

        public IReadOnlyList<ulong> Ids => [.. Records.Select(record => record.Id)];

        public async ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
        {
            if (Hold is not null)
            {
                Volatile.Write(ref _isHeld, true);
                await Hold.Task;
            }

            lock (_gate)
            {
                _records.AddRange(batch.Span);
                Batches++;
            }
        }
    }

    private sealed class ThrowingSink : IExchangeSink
    {
        public string Name => "throwing";

        public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken) => throw new IOException("the disk is full");
    }
}
