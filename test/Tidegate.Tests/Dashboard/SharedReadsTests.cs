using Microsoft.Extensions.Time.Testing;
using Tidegate.Dashboard.Data;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>Reads that several pages wait for.</summary>
public sealed class SharedReadsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly SharedReads<string> _reads;
    private readonly TaskCompletionSource<string> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _read;
    private CancellationToken _end;

    public SharedReadsTests() => _reads = new SharedReads<string>(_time, TimeSpan.FromSeconds(5), capacity: 4);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_search_ends_when_nobody_waits_for_it()
    {
        using var leaves = new CancellationTokenSource();
        var asked = AskAsync(leaves.Token);
        await _begun.Task.WaitAsync(Cancellation);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);

        Assert.False(_end.IsCancellationRequested);
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.True(_end.IsCancellationRequested);
    }

    [Fact]
    public async Task Slow_sums_are_read_once_for_both_drawings()
    {
        using var leaves = new CancellationTokenSource();
        var first = AskAsync(leaves.Token);
        await _begun.Task.WaitAsync(Cancellation);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        _time.Advance(TimeSpan.FromSeconds(2));
        var second = AskAsync(Cancellation);
        _time.Advance(TimeSpan.FromSeconds(10));
        _answer.SetResult("sums");

        Assert.Equal("sums", await second);
        Assert.Equal("sums", await AskAsync(Cancellation));
        Assert.Equal(1, _read);
    }

    [Fact]
    public async Task An_answer_is_as_old_as_the_time_since_it_came_and_then_it_is_read_again()
    {
        _answer.SetResult("sums");
        await AskAsync(Cancellation);
        _time.Advance(TimeSpan.FromSeconds(5));
        await AskAsync(Cancellation);
        Assert.Equal(1, _read);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        await AskAsync(Cancellation);
        Assert.Equal(2, _read);
    }

    [Fact]
    public async Task What_ended_because_nobody_waited_is_read_anew_for_who_comes_later()
    {
        using var leaves = new CancellationTokenSource();
        var first = AskAsync(leaves.Token);
        await _begun.Task.WaitAsync(Cancellation);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        _time.Advance(TimeSpan.FromSeconds(4));
        _answer.SetResult("sums");

        Assert.Equal("sums", await AskAsync(Cancellation));
        Assert.Equal(2, _read);
    }

    private Task<string> AskAsync(CancellationToken gone) => _reads.AskAsync("key", ReadAsync, gone);

    private Task<string> ReadAsync(CancellationToken end)
    {
        _end = end;
        Interlocked.Increment(ref _read);
        _begun.TrySetResult();
        return _answer.Task;
    }
}
