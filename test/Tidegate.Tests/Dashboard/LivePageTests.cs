using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Admin;
using Tidegate.Dashboard.Data;
using Tidegate.Dashboard.Pages;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>When pages read, and what they show of it.</summary>
public sealed class LivePageTests
{
    private const string Root = "http://localhost:9900/";

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 26, 10, 0, 0, TimeSpan.Zero));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_page_is_drawn_before_slow_sums_are_read()
    {
        await using var renderer = PageRenderer.Create(_time, Root + "?q=slow", isInteractive: false);
        var page = renderer.New<AskingPage>();
        var drawn = renderer.DrawAsync(page);
        Assert.False(drawn.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(200));

        await drawn.WaitAsync(Cancellation);
        Assert.Equal((true, ""), (page.Loads, page.Shown));
        Assert.Empty(renderer.Bugs);
    }

    [Fact]
    public async Task A_slow_search_does_not_overwrite_what_was_asked_after_it()
    {
        await using var renderer = PageRenderer.Create(_time, Root + "?q=slow", isInteractive: true);
        var page = renderer.New<AskingPage>();
        var first = renderer.DrawAsync(page);
        await renderer.GoAsync(Root + "?q=fast");
        Assert.True(page.Loads);
        page["fast"].SetResult();
        page["slow"].SetResult();
        await first.WaitAsync(Cancellation);

        Assert.Equal(("fast", false), (page.Shown, page.Loads));
        Assert.Empty(renderer.Bugs);
    }

    [Fact]
    public async Task What_is_live_moves_while_sums_are_read()
    {
        await using var renderer = PageRenderer.Create(_time, Root + "?q=sums", isInteractive: true);
        var page = renderer.New<AskingPage>();
        page["sums"].SetResult();
        await renderer.DrawAsync(page);
        page.Begin("sums");
        for (var second = 0; second < 10; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(await page.Ticked.WaitAsync(TimeSpan.FromSeconds(60), Cancellation), $"Second {second} did not come.");
        }

        // The reading that began after three seconds still runs; no other begins meanwhile.
        Assert.Equal(2, page.Reads);
        Assert.Empty(renderer.Bugs);
    }

    [Fact]
    public async Task Nothing_changed_against_a_time_that_is_not_kept()
    {
        var traffic = new TrafficReader(PageRenderer.Sources(_time));
        var range = Tidegate.Dashboard.Views.TimeRange.Default;
        var now = _time.GetUtcNow();

        Assert.False((await Reading.BeginAsync(traffic, AdminCaller.Anyone, range, now, Cancellation)).IsBeforeKept);
        Assert.False(new Reading(traffic, AdminCaller.Anyone, range, now, now.AddMinutes(-119), Cancellation).IsBeforeKept);
        Assert.True(new Reading(traffic, AdminCaller.Anyone, range, now, now.AddMinutes(-120), Cancellation).IsBeforeKept);
        Assert.Equal(TimeSpan.FromMinutes(20), new Reading(traffic, AdminCaller.Anyone, range, now, now.AddMinutes(-20), Cancellation).Span);
    }

    /// <summary>Reads what the URL asks for as soon as a test lets it.</summary>
    private sealed class AskingPage : LivePage
    {
        private readonly Dictionary<string, TaskCompletionSource> _answers = [];

        public SemaphoreSlim Ticked { get; } = new(0);

        public string Shown { get; private set; } = "";

        public int Reads { get; private set; }

        public bool Loads => IsLoading;

        public TaskCompletionSource this[string question] => _answers.TryGetValue(question, out var known) ? known : Begin(question);

        public TaskCompletionSource Begin(string question) => _answers[question] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        protected override void ReadLive()
        {
            if (Reads > 0)
            {
                Ticked.Release();
            }
        }

        private protected override async Task<Action> ReadAsync(Reading reading)
        {
            Reads++;
            var question = View["q"];
            await this[question].Task;
            return () => Shown = question;
        }
    }
}
