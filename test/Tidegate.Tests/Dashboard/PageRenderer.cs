using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.RenderTree;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Tidegate.Control;
using Tidegate.Control.Audit;
using Tidegate.Control.Live;
using Tidegate.Dashboard.Data;
using Tidegate.Dashboard.Pages;
using Tidegate.Dashboard.Views;

// To give a page its life one has to be what only the framework is otherwise; a change of these types shows when this is built.
#pragma warning disable BL0006

namespace Tidegate.Tests.Dashboard;

/// <summary>Gives a page its life, and shows it to nobody.</summary>
internal sealed class PageRenderer : Renderer
{
    private readonly CascadingValueSource<View> _view;
    private readonly bool _isInteractive;

    private PageRenderer(ServiceProvider services, CascadingValueSource<View> view, bool isInteractive)
        : base(services, NullLoggerFactory.Instance)
    {
        _view = view;
        _isInteractive = isInteractive;
    }

    public override Dispatcher Dispatcher { get; } = Dispatcher.CreateDefault();

    public List<Exception> Bugs { get; } = [];

    protected override RendererInfo RendererInfo => new("test", _isInteractive);

    public static DashboardSources Sources(TimeProvider time) =>
        new("", default, null!, null, new RecentExchanges(1), new ApiStatistics(time), new RecentSeconds(time), null!, null!, null!, null, new AuditLog(null, _ => { }, time), null!, null!, null, _ => { }, time);

    public static PageRenderer Create(TimeProvider time, string url, bool isInteractive)
    {
        var view = new CascadingValueSource<View>(View.Of(url), isFixed: false);
        var services = new ServiceCollection().AddSingleton(Sources(time)).AddSingleton<TrafficReader>().AddSingleton<LiveReader>().AddSingleton<Viewer>().AddCascadingValue(_ => view).BuildServiceProvider();
        return new PageRenderer(services, view, isInteractive);
    }

    /// <summary>Draws a page; complete when it says that it is.</summary>
    public Task DrawAsync(LivePage page) => Dispatcher.InvokeAsync(() => RenderRootComponentAsync(AssignRootComponentId(page), ParameterView.Empty));

    public TPage New<TPage>()
        where TPage : LivePage => (TPage)InstantiateComponent(typeof(TPage));

    public Task GoAsync(string url) => Dispatcher.InvokeAsync(() => _view.NotifyChangedAsync(View.Of(url)));

    protected override void HandleException(Exception exception) => Bugs.Add(exception);

    protected override Task UpdateDisplayAsync(in RenderBatch renderBatch) => Task.CompletedTask;
}
