using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components.Server;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Tidegate.Control;
using Tidegate.Control.Admin;
using Tidegate.Dashboard.Components;
using Tidegate.Dashboard.Data;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Serving;

/// <summary>The application that makes pages: services and a pipeline of its own behind the admin listener, whose connections it uses.</summary>
internal sealed class PageApplication : IAsyncDisposable
{
    // A laptop that was closed comes back to the same page within this time; more than a few such pages are not kept.
    private const int KeptPages = 8;
    private static readonly TimeSpan KeepPage = TimeSpan.FromMinutes(3);

    // What a viewer has not taken yet of a page that changes each second.
    private const int UntakenChanges = 5;

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1);

    private readonly WebApplication _application;
    private readonly RequestPort _port;

    private PageApplication(WebApplication application, RequestPort port)
    {
        _application = application;
        _port = port;
    }

    public static async Task<PageApplication> StartAsync(DashboardSources sources)
    {
        var port = new RequestPort();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = typeof(PageApplication).Assembly.GetName().Name, EnvironmentName = Environments.Production });
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddSingleton<IServer>(port);
        builder.Services.AddRoutingCore();
        builder.Logging.SetMinimumLevel(LogLevel.Error).AddProvider(new LineLogging(sources.Log));

        // A browser that comes back after a restart brings what was protected with keys that are gone: it gets anew what it needs, and nobody has to do anything.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Antiforgery", LogLevel.None);

        // Keys live as long as the pages they protect: the process.
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        builder.Services.AddRazorComponents().AddInteractiveServerComponents(options =>
        {
            options.DisconnectedCircuitMaxRetained = KeptPages;
            options.DisconnectedCircuitRetentionPeriod = KeepPage;
            options.MaxBufferedUnacknowledgedRenderBatches = UntakenChanges;
        });
        builder.Services.Configure<CircuitOptions>(static options => options.DetailedErrors = false);
        builder.Services.AddAntiforgery(static options => options.SuppressXFrameOptionsHeader = true);
        builder.Services.AddSingleton(sources);
        builder.Services.AddSingleton<TrafficReader>();
        builder.Services.AddSingleton<PastReader>();
        builder.Services.AddScoped<Viewer>();
        builder.Services.AddScoped<LiveReader>();
        var application = builder.Build();
        application.UseRouting();
        application.UseAntiforgery();
        application.UseStatusCodePages(static context => NotFound.WriteAsync(context.HttpContext));

        // The policy of this listener is stricter than the one that Blazor would set.
        application.MapRazorComponents<App>().AddInteractiveServerRenderMode(static options => options.ContentSecurityFrameAncestorsPolicy = null);
        await application.StartAsync();
        return new PageApplication(application, port);
    }

    /// <param name="context">The request, as the admin listener has it.</param>
    /// <param name="ends">When whoever asks is not signed in any more: what is open is closed then.</param>
    public async Task HandleAsync(HttpContext context, CancellationToken ends)
    {
        using var ending = ends.Register(static open => ((HttpContext)open!).Abort(), context);
        await _port.HandleAsync(context);
    }

    /// <summary>Closes what is open, then ends.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(StopTimeout, TimeProvider.System);
        await _application.StopAsync(patience.Token);
        await _application.DisposeAsync();
    }
}
