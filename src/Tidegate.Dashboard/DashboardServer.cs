using Microsoft.AspNetCore.Http;
using Tidegate.Control;
using Tidegate.Control.Admin;
using Tidegate.Dashboard.Serving;
using Tidegate.Dashboard.SignIn;

namespace Tidegate.Dashboard;

/// <summary>The dashboard: who may see it, and what answers. Pages are made by an application that begins with the first request for one: at a gateway at which nobody looks it costs nothing.</summary>
internal sealed class DashboardServer(DashboardSources sources) : IDashboard
{
    private readonly Gate _gate = new(sources);
    private readonly Lock _building = new();
    private Task<PageApplication>? _pages;

    public void Start(AdminAccess access) => _gate.Start(access);

    public bool Has(PathString path) => DashboardPaths.Has(path);

    public AdminCaller? Who(HttpContext context, AdminAccess access) => _gate.Who(context, access);

    public CancellationToken SessionEnd(HttpContext context, AdminAccess access) => _gate.SessionEnd(context, access);

    public void Apply(AdminAccess access) => _gate.Apply(access);

    public async Task HandleAsync(HttpContext context, AdminAccess access)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = DashboardPaths.ContentSecurityPolicy;

        // Without any, a browser says of a form only that it comes from nowhere.
        headers["Referrer-Policy"] = "same-origin";
        if (await _gate.HandleAsync(context, access))
        {
            return;
        }

        if (Asset.TryGet(context.Request.Path, out var asset))
        {
            await asset.WriteAsync(context);
            return;
        }

        var pages = await PagesAsync();
        await pages.HandleAsync(context, _gate.SessionEnd(context, access));
    }

    public async ValueTask DisposeAsync()
    {
        Task<PageApplication>? pages;
        lock (_building)
        {
            pages = _pages;
        }

        if (pages is { IsCompletedSuccessfully: true })
        {
            await (await pages).DisposeAsync();
        }

        await _gate.DisposeAsync();
    }

    private Task<PageApplication> PagesAsync()
    {
        lock (_building)
        {
            // One that could not begin must not be the last word.
            return _pages is null || _pages.IsFaulted ? _pages = PageApplication.StartAsync(sources) : _pages;
        }
    }
}
