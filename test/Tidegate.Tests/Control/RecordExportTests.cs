using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Control.Otlp;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Control;

/// <summary>Records on their way to a collector, over gRPC.</summary>
public sealed class RecordExportTests : IAsyncLifetime
{
    private static readonly OtlpResource Resource = new("tidegate", "0.1.0", "instance", "host");
    private static readonly ExchangeRecord Traced = TestRecords.Ingress with { Trace = new TraceContext(1, 2, 3, 0, TraceContext.SampledFlag) };

    private readonly OtlpSignal _signal = new("traces");
    private readonly FakeTimeProvider _time = new();
    private readonly List<string?> _notes = [];
    private readonly List<DateTimeOffset> _noted = [];
    private volatile bool _isUnderWay;
    private FakeCollector _collector = null!;
    private OtlpClient _client = null!;
    private RecordQueue _queue = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _collector = await FakeCollector.StartAsync(isGrpc: true);
        _client = new OtlpClient(new OtlpSettings(new Uri(_collector.Address), IsGrpc: true, [], "tidegate", HasLogs: false, 1), TimeProvider.System);
        _queue = new RecordQueue(_signal, static _ => true);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _collector.DisposeAsync();
    }

    [Fact]
    public async Task What_is_too_much_for_one_message_goes_in_several()
    {
        await _queue.TakeAsync([.. Enumerable.Repeat(Traced with { Path = new string('p', 10_000) }, RecordQueue.BatchSize)], Cancellation);
        await Export().ExportAsync(Cancellation, Cancellation);

        Assert.Equal(RecordQueue.BatchSize, _collector.Spans.Count);
        Assert.Equal(2, _collector.Messages.Count);
        Assert.Equal(RecordQueue.BatchSize, _signal.ItemsExported);
    }

    [Fact]
    public async Task A_message_that_is_refused_as_too_large_does_not_stand_in_the_way_of_the_next()
    {
        _collector.GrpcStatus = 8;
        await _queue.TakeAsync([Traced], Cancellation);
        await Export().ExportAsync(Cancellation, Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);

        Assert.Equal(1, _signal.ItemsRefused);
    }

    [Theory]
    [InlineData(8, "", false)]
    [InlineData(8, "CAgaDQoLL2dvb2dsZS5ycGM", false)]
    [InlineData(8, "not base64!", false)]
    [InlineData(8, "CAgSAm5vGiUKI3R5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5IZWxw", false)]
    [InlineData(8, "CAgSAm5vGjIKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBgoECAUQAQ==", true)]
    [InlineData(8, "CAgSAm5vGjIKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBgoECAUQAQ", true)]
    [InlineData(14, "", true)]
    [InlineData(3, "CAgSAm5vGjIKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBgoECAUQAQ==", false)]
    public async Task What_is_exhausted_is_tried_again_only_where_the_collector_says_that_it_recovers(int status, string details, bool isWorthRetrying)
    {
        (_collector.GrpcStatus, _collector.StatusDetails) = (status, details);
        var result = await _client.SendAsync(OtlpClient.Traces, new byte[10], Cancellation);

        Assert.Equal(isWorthRetrying, result.IsWorthRetrying);
        Assert.Equal(isWorthRetrying && details.Length > 0 ? 5 : 0, result.Pause.TotalSeconds);
        Assert.StartsWith($"gRPC status {status}", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_collector_that_stays_busy_is_given_up_after_five_minutes_and_what_it_was_to_get_is_counted()
    {
        _collector.GrpcStatus = 14;
        await _queue.TakeAsync([Traced, Traced], Cancellation);
        var export = Export().ExportAsync(Cancellation, Cancellation);
        await AdvanceUntilAsync(export, () => true);
        await export.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.Equal(2, _signal.ItemsDropped);
        Assert.True(_notes.Count >= 10, $"{_notes.Count}");
    }

    [Theory]
    [InlineData(60, 60, 120)]
    [InlineData(86400, 300, 360)]
    [InlineData(0, 1, 55)]
    public async Task A_collector_is_not_asked_again_before_it_said_that_it_may_be(int seconds, int atLeast, int below)
    {
        (_collector.GrpcStatus, _collector.StatusDetails) = (14, RetryInfo(seconds));
        await _queue.TakeAsync([Traced], Cancellation);
        await AdvanceUntilAsync(Export().ExportAsync(Cancellation, Cancellation), () => _noted.Count < 2);

        Assert.InRange((_noted[1] - _noted[0]).TotalSeconds, atLeast, below);
    }

    [Theory]
    [InlineData("", null, 0)]
    [InlineData("7", null, 7)]
    [InlineData("7", 90, 90)]
    [InlineData("120", 90, 120)]
    [InlineData("soon", 90, 90)]
    [InlineData("Fri, 01 Jan 2100 00:00:00 GMT", null, double.MaxValue)]
    [InlineData("Wed, 01 Jan 2020 00:00:00 GMT", null, 0)]
    public async Task Over_HTTP_a_field_and_the_content_say_when_and_the_longer_holds(string field, int? content, double expected)
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc: false);
        using var client = new OtlpClient(new OtlpSettings(new Uri(collector.Address), IsGrpc: false, [], "tidegate", HasLogs: false, 1), TimeProvider.System);
        (collector.GrpcStatus, collector.RetryAfter, collector.StatusDetails) = (14, field, content is { } seconds ? RetryInfo(seconds) : "");
        var result = await client.SendAsync(OtlpClient.Traces, new byte[10], Cancellation);

        Assert.True(result.IsWorthRetrying);
        Assert.Equal(expected, result.Pause > TimeSpan.FromDays(365) ? double.MaxValue : result.Pause.TotalSeconds);
    }

    [Theory]
    [InlineData(7.25, 3L, 500_000_000L, 7L, 250_000_000L)]
    [InlineData(1_000_000_001, long.MaxValue, long.MaxValue)]
    [InlineData(0, -1L, -1L)]
    [InlineData(0, 5L, 5L, -1L, -1L)]
    public void Of_a_delay_that_is_said_again_the_last_holds_and_none_is_too_long_to_be_read(double expected, params long[] delays)
    {
        var message = new ProtobufWriter();
        var any = message.Begin(3);
        message.String(1, "type.googleapis.com/google.rpc.RetryInfo");
        var info = message.Begin(2);
        for (var i = 0; i < delays.Length; i += 2)
        {
            var delay = message.Begin(1);
            for (var times = 0; times < 1_000; times++)
            {
                message.Varint(1, (ulong)delays[i]);
                message.Varint(2, (ulong)delays[i + 1]);
            }

            message.End(delay);
        }

        message.End(info);
        message.End(any);
        Assert.Equal(expected, Tidegate.Control.Otlp.RetryInfo.Read(message.Written.Span)!.Value.TotalSeconds, 0.00001);
    }

    [Fact]
    public async Task Metrics_are_not_sent_while_the_collector_wants_to_be_left_alone_but_at_the_end()
    {
        var metrics = new MetricExport(writer => { }, Resource, _signal, _client, Note, _time);
        (_collector.GrpcStatus, _collector.StatusDetails) = (14, RetryInfo(60));
        await metrics.ExportAsync(Cancellation);
        _time.Advance(TimeSpan.FromSeconds(59.999));
        await metrics.ExportAsync(Cancellation);
        Assert.Single(_notes);

        _time.Advance(TimeSpan.FromSeconds(0.001));
        await metrics.ExportAsync(Cancellation);
        Assert.Equal(2, _notes.Count);

        _collector.GrpcStatus = 0;
        await metrics.FinishAsync(Cancellation);
        await metrics.ExportAsync(Cancellation);
        Assert.Equal([null, null], _notes.Skip(2));
    }

    [Fact]
    public async Task A_collector_that_is_away_when_its_pause_is_over_still_has_its_time()
    {
        (_collector.GrpcStatus, _collector.StatusDetails) = (14, RetryInfo(300));
        await _queue.TakeAsync([Traced], Cancellation);
        var export = Export().ExportAsync(Cancellation, Cancellation);
        await AdvanceUntilAsync(export, () => _noted.Count < 1);
        _collector.StatusDetails = "";
        await AdvanceUntilAsync(export, () => _noted.Count < 3);
        _collector.GrpcStatus = 0;
        await AdvanceUntilAsync(export, () => true);

        Assert.Equal((1, 0), (_signal.ItemsExported, _signal.ItemsDropped));
    }

    [Fact]
    public async Task A_collector_that_asks_for_a_pause_again_and_again_is_asked_as_often_as_any_other_and_given_up()
    {
        (_collector.GrpcStatus, _collector.StatusDetails) = (14, RetryInfo(60));
        await _queue.TakeAsync([Traced], Cancellation);
        await AdvanceUntilAsync(Export().ExportAsync(Cancellation, Cancellation), () => true);

        Assert.Equal(1, _signal.ItemsDropped);
        Assert.InRange(_notes.Count, 8, 15);
    }

    [Fact]
    public async Task What_comes_after_a_message_that_was_given_up_waits_as_long_too_and_is_sent_more_than_once()
    {
        _collector.GrpcStatus = 14;
        await _queue.TakeAsync([.. Enumerable.Repeat(Traced, RecordQueue.BatchSize + 1)], Cancellation);
        var export = Export().ExportAsync(Cancellation, Cancellation);
        var began = _time.GetUtcNow();
        await AdvanceUntilAsync(export, () => _time.GetUtcNow() < began.AddSeconds(305));

        // The next is the last time for the first message, if it was not already.
        _collector.StatusDetails = RetryInfo(300);
        await AdvanceUntilAsync(export, () => _signal.ItemsDropped == 0);
        var last = _noted.Count;
        await AdvanceUntilAsync(export, () => _noted.Count == last);
        Assert.InRange((_noted[last] - _noted[last - 1]).TotalSeconds, 300, 360);

        _collector.GrpcStatus = 0;
        await AdvanceUntilAsync(export, () => true);
        Assert.Equal((1, RecordQueue.BatchSize), (_signal.ItemsExported, _signal.ItemsDropped));
    }

    [Fact]
    public async Task What_is_under_way_at_the_end_is_let_finish_and_not_sent_again()
    {
        var answers = new TaskCompletionSource();
        _collector.AnswersAfter = answers.Task;
        using var stopping = new CancellationTokenSource();
        await _queue.TakeAsync([.. Enumerable.Repeat(Traced, RecordQueue.BatchSize + 1)], Cancellation);
        var records = Export();
        var export = records.ExportAsync(stopping.Token, Cancellation);
        await _collector.SpansAsync(RecordQueue.BatchSize, Cancellation);
        await stopping.CancelAsync();
        answers.SetResult();
        await export;

        Assert.Equal((RecordQueue.BatchSize, 1), (_collector.Spans.Count, records.Left));
        await records.FinishAsync(Cancellation);
        Assert.Equal((RecordQueue.BatchSize + 1, 0), (_collector.Spans.Count, records.Left));
    }

    [Fact]
    public async Task Records_of_which_no_message_can_be_made_are_counted()
    {
        await _queue.TakeAsync([Traced, Traced, Traced], Cancellation);
        var broken = new RecordExport(_queue, _signal, (_, _) => throw new InvalidOperationException("broken"), _client, (_, _) => { }, _time);
        await Assert.ThrowsAsync<InvalidOperationException>(() => broken.ExportAsync(Cancellation, Cancellation));

        Assert.Equal((3, 0), (_signal.ItemsDropped, broken.Left));
    }

    /// <summary>A google.rpc.Status with a RetryInfo.</summary>
    private static string RetryInfo(int seconds)
    {
        var message = new ProtobufWriter();
        message.Varint(1, 14);
        var any = message.Begin(3);
        message.String(1, "type.googleapis.com/google.rpc.RetryInfo");
        var info = message.Begin(2);
        var delay = message.Begin(1);
        message.Varint(1, (ulong)seconds);
        message.End(delay);
        message.End(info);
        message.End(any);
        return Convert.ToBase64String(message.Written.Span);
    }

    private RecordExport Export() => new(_queue, _signal, Encode, _client, Note, _time);

    private int Encode(ProtobufWriter message, IReadOnlyList<ExchangeRecord> batch)
    {
        _isUnderWay = true;
        return SpanEncoder.Encode(message, Resource, batch);
    }

    private void Note(OtlpSignal signal, string? error)
    {
        _notes.Add(error);
        _noted.Add(_time.GetUtcNow());
        _isUnderWay = false;
    }

    /// <summary>Five seconds at a time, slowly enough that what is due is sent within some of them; while it is under way the clock stands.</summary>
    private async Task AdvanceUntilAsync(Task export, Func<bool> isAwaited)
    {
        var end = _time.GetUtcNow().AddHours(1);
        while (isAwaited() && !export.IsCompleted && _time.GetUtcNow() < end)
        {
            if (!_isUnderWay)
            {
                _time.Advance(TimeSpan.FromSeconds(5));
            }

            await Task.Delay(10, Cancellation);
        }
    }
}
