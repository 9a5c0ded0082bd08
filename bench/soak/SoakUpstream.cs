using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Tidegate.Soak;

/// <summary>A service that answers, streams, is slow, breaks off and is down, each on a path of its own.</summary>
internal sealed class SoakUpstream : IAsyncDisposable
{
    private static readonly byte[] Large = new byte[256 * 1024];

    private readonly WebApplication _application;

    private SoakUpstream(WebApplication application) => _application = application;

    public int Port => new Uri(_application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;

    public static async Task<SoakUpstream> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var upstream = new SoakUpstream(builder.Build());
        upstream._application.Run(AnswerAsync);
        await upstream._application.StartAsync();
        return upstream;
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private static async Task AnswerAsync(HttpContext context)
    {
        switch (context.Request.Path.Value)
        {
            case "/large":
                await context.Response.Body.WriteAsync(Large);
                return;
            case "/slow":
                await Task.Delay(500, context.RequestAborted);
                await context.Response.WriteAsync("slow");
                return;
            case "/broken":
                await context.Response.WriteAsync("half");
                await context.Response.Body.FlushAsync();
                context.Abort();
                return;
            case "/down":
                context.Response.StatusCode = 503;
                return;
            default:
                await context.Request.Body.CopyToAsync(Stream.Null);
                await context.Response.WriteAsync("good");
                return;
        }
    }
}
