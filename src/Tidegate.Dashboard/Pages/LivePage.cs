using Microsoft.AspNetCore.Components;
using Tidegate.Control;
using Tidegate.Dashboard.Data;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Pages;

/// <summary>A page that reads what it shows when it is opened or its URL changes, and again while somebody looks: what is live each second, sums when they can have changed.</summary>
public abstract class LivePage : ComponentBase, IAsyncDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    // What takes longer comes with the second drawing: nobody looks at a white page.
    private static readonly TimeSpan FirstDrawing = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource _left = new();
    private Action? _endReading;
    private int _readings;
    private Task? _loop;
    private object? _shown;
    private long _readAt;

    /// <summary>What the URL says.</summary>
    [CascadingParameter]
    public View View { get; set; } = null!;

    [Inject]
    internal DashboardSources Sources { get; set; } = null!;

    [Inject]
    internal TrafficReader Traffic { get; set; } = null!;

    [Inject]
    internal LiveReader Live { get; set; } = null!;

    [Inject]
    internal Viewer Viewer { get; set; } = null!;

    /// <summary>Nothing was read yet of what the URL says now.</summary>
    protected bool IsLoading { get; private set; } = true;

    /// <summary>Why something is missing; null when nothing is.</summary>
    protected string? Trouble { get; private set; }

    /// <summary>How much of the shown time is kept: rates are of that.</summary>
    protected TimeSpan Span { get; private set; }

    /// <summary>Whether exchanges are kept.</summary>
    protected bool IsKept => Traffic.IsKept;

    /// <summary>What makes it another page beside the URL.</summary>
    protected virtual object Identity => View;

    /// <summary>Whether what was read is read again while somebody looks.</summary>
    protected virtual bool IsMoving => View.Range.IsMoving;

    /// <summary>Reads sums.</summary>
    /// <returns>Shows them: only the newest reading does, so that a slow one does not overwrite what was asked after it.</returns>
    private protected abstract Task<Action> ReadAsync(Reading reading);

    /// <summary>Reads what is live.</summary>
    protected virtual void ReadLive()
    {
    }

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        if (Identity.Equals(_shown))
        {
            return;
        }

        _shown = Identity;
        IsLoading = true;
        ReadLive();
        var read = ReadAllAsync(Viewer.TakeDrawnAt(Sources.Time.GetUtcNow()));
        if (!RendererInfo.IsInteractive && await Task.WhenAny(read, Task.Delay(FirstDrawing, Sources.Time, _left.Token)) != read)
        {
            _ = WatchAsync(read);
            return;
        }

        await read;
    }

    /// <inheritdoc/>
    protected override void OnAfterRender(bool firstRender)
    {
        // Only where somebody looks: what is drawn before the connection exists has no life.
        if (firstRender)
        {
            _loop = LoopAsync();
        }
    }

    private async Task ReadAllAsync(DateTimeOffset now)
    {
        // Nobody waits for the reading before.
        _endReading?.Invoke();
        using var mine = CancellationTokenSource.CreateLinkedTokenSource(_left.Token);
        _endReading = mine.Cancel;
        var number = ++_readings;
        _readAt = Sources.Time.GetTimestamp();
        try
        {
            var reading = await Reading.BeginAsync(Traffic, Viewer.Caller, View.Range, now, mine.Token);
            var show = await ReadAsync(reading);
            if (number == _readings && !mine.IsCancellationRequested)
            {
                (Span, Trouble, IsLoading) = (reading.Span, reading.Trouble, false);
                show();
            }
        }
        catch (OperationCanceledException) when (mine.IsCancellationRequested)
        {
            // Another one was asked for, or somebody went to another page.
        }
        finally
        {
            _endReading = number == _readings ? null : _endReading;
        }
    }

    private async Task LoopAsync()
    {
        using var timer = new PeriodicTimer(Second, Sources.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_left.Token))
            {
                if (!View.IsPaused)
                {
                    await InvokeAsync(Tick);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Somebody went to another page.
        }
        catch (ObjectDisposedException)
        {
            // The connection ended between two ticks.
        }
        catch (Exception bug)
        {
            await DispatchExceptionAsync(bug);
        }
    }

    private void Tick()
    {
        ReadLive();
        if (IsMoving && _endReading is null && Sources.Time.GetElapsedTime(_readAt) >= View.Range.ReadEvery)
        {
            // What is live does not wait for it.
            _ = WatchAsync(ReadAllAsync(Sources.Time.GetUtcNow()));
        }

        StateHasChanged();
    }

    // Draws what was read in the background.
    private async Task WatchAsync(Task read)
    {
        try
        {
            await read;
            if (!_left.IsCancellationRequested)
            {
                StateHasChanged();
            }
        }
        catch (Exception bug)
        {
            await DispatchExceptionAsync(bug);
        }
    }

    /// <inheritdoc/>
    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _left.CancelAsync();
        if (_loop is not null)
        {
            await _loop;
        }

        _left.Dispose();
    }
}
