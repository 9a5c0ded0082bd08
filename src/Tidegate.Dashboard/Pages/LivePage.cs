using Microsoft.AspNetCore.Components;
using Tidegate.Control;
using Tidegate.Dashboard.Data;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Pages;

/// <summary>A page that reads what it shows when it is opened or its URL changes, and again while somebody looks: what is live each second, sums when they can have changed.</summary>
public abstract class LivePage : ComponentBase, IAsyncDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _left = new();
    private Task? _loop;
    private object? _shown;
    private long _readAt;
    private int _reading;

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

    /// <summary>The time for which the page was read.</summary>
    protected DateTimeOffset Now { get; private set; }

    /// <summary>Whether exchanges are kept.</summary>
    protected bool IsKept => Traffic.IsKept;

    /// <summary>How much of the shown time is kept: rates are of that.</summary>
    protected TimeSpan Span { get; private set; }

    /// <summary>What makes it another page beside the URL.</summary>
    protected virtual object Identity => View;

    /// <summary>Whether what was read is read again while somebody looks.</summary>
    protected virtual bool IsMoving => View.Range.IsMoving;

    /// <summary>Reads sums.</summary>
    protected abstract Task ReadAsync();

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
        await ReadAllAsync();
        IsLoading = false;
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

    /// <summary>Asks for sums, and keeps why there are none.</summary>
    internal async Task<Tidegate.Control.Store.Queries.SeriesResult?> SumsAsync(Tidegate.Control.Store.Queries.SeriesQuery query)
    {
        var answer = await Traffic.ReadAsync(Viewer.Caller, query);
        Trouble ??= answer.Trouble;
        return answer.Result;
    }

    private async Task ReadAllAsync()
    {
        Now = Sources.Time.GetUtcNow();
        _readAt = Sources.Time.GetTimestamp();
        Trouble = null;
        Span = await Traffic.CoveredAsync(View.Range.From(Now), View.Range.To(Now));
        _reading++;
        try
        {
            await ReadAsync();
        }
        finally
        {
            _reading--;
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
                    await InvokeAsync(TickAsync);
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

    private async Task TickAsync()
    {
        ReadLive();
        if (IsMoving && _reading == 0 && Sources.Time.GetElapsedTime(_readAt) >= View.Range.ReadEvery)
        {
            await ReadAllAsync();
        }

        StateHasChanged();
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
