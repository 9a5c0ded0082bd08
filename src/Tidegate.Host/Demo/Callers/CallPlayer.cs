using System.Collections.Concurrent;
using System.Net;

namespace Tidegate.Host.Demo.Callers;

/// <summary>Makes the calls of the plan when their time has come, as callers do: with ETags, with a retry, and without waiting for ever.</summary>
internal sealed class CallPlayer(CallPlan plan, MorningClock clock, GatewayClients clients, TimeProvider time) : IAsyncDisposable
{
    // About four seconds of the busiest traffic, all of it hanging; more is left out, so that a stopped gateway costs no memory.
    private const int MaxOpenCalls = 250;
    private const int MaxTags = 2_000;
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<long, Task> _open = new();
    private readonly ConcurrentDictionary<(string Caller, string Target), string> _tags = new();
    private Task _loop = Task.CompletedTask;
    private long _begun;

    public void Start() => _loop = LoopAsync();

    /// <summary>Begins no more calls, and waits for those that are open, but not for long: callers hang up then.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        await _stopping.CancelAsync();
        await _loop;
        await Task.WhenAny(Task.WhenAll(_open.Values), Task.Delay(patience, time));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _stopping.Dispose();
    }

    private async Task LoopAsync()
    {
        try
        {
            for (var second = (int)clock.Elapsed.TotalSeconds; ; second++)
            {
                foreach (var (at, call) in plan.Second((second / MorningClock.SecondsPerMorning) + 1, second % MorningClock.SecondsPerMorning))
                {
                    await WaitUntilAsync(TimeSpan.FromSeconds(second + at));
                    Begin(call);
                }

                await WaitUntilAsync(TimeSpan.FromSeconds(second + 1));
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    private async Task WaitUntilAsync(TimeSpan elapsed)
    {
        var wait = elapsed - clock.Elapsed;
        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, time, _stopping.Token);
        }
    }

    private void Begin(DemoCall call)
    {
        if (_open.Count < MaxOpenCalls)
        {
            var number = _begun++;
            var playing = PlayAsync(call);
            _open[number] = playing;
            playing.ContinueWith(_ => _open.TryRemove(number, out var _), TaskScheduler.Default);
        }
    }

    private async Task PlayAsync(DemoCall call)
    {
        await Task.Yield();
        try
        {
            if (await SendAsync(call) is { } wait && call.Retries)
            {
                await Task.Delay(wait < LongestWait ? wait : LongestWait, time, _stopping.Token);
                await SendAsync(call);
            }
        }
        catch (Exception refused) when (refused is HttpRequestException or IOException or OperationCanceledException)
        {
            // Callers live with it: the gateway has the record, and that is what the demo shows.
            return;
        }
    }

    /// <summary>Sends, and reads the answer to its end.</summary>
    /// <returns>How long to wait before another try; null when that is not needed.</returns>
    private async Task<TimeSpan?> SendAsync(DemoCall call)
    {
        using var patience = new CancellationTokenSource(call.Patience, time);
        var (client, request) = clients.Prepare(call);
        using var sent = request;
        var remembered = (call.Caller, call.Target);
        if (call.Remembers && _tags.TryGetValue(remembered, out var tag))
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", tag);
        }

        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        await response.Content.CopyToAsync(Stream.Null, patience.Token);
        if (call.Remembers && response.Headers.ETag is { } received && (_tags.Count < MaxTags || _tags.ContainsKey(remembered)))
        {
            _tags[remembered] = received.ToString();
        }

        return response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable ? response.Headers.RetryAfter?.Delta : null;
    }
}
