using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Tidegate.Dashboard.Serving;

/// <summary>A server without connections of its own: it is handed the requests that the admin listener has let through.</summary>
internal sealed class RequestPort : IServer
{
    private Func<IFeatureCollection, Task>? _handle;

    public IFeatureCollection Features { get; } = new FeatureCollection();

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull
    {
        _handle = async features =>
        {
            var context = application.CreateContext(features);
            try
            {
                await application.ProcessRequestAsync(context);
            }
            catch (Exception bug)
            {
                application.DisposeContext(context, bug);
                throw;
            }

            application.DisposeContext(context, null);
        };
        return Task.CompletedTask;
    }

    /// <summary>Lets the application answer. It sees the request's features through a layer of its own: what it puts there is gone afterwards.</summary>
    public Task HandleAsync(HttpContext context) => _handle!(new FeatureCollection(context.Features));

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        // Its connections are the admin listener's.
    }
}
