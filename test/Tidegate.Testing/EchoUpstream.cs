using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Tidegate.Testing;

/// <summary>
/// A service for end-to-end tests, on a stock server: <c>/echo</c> gives the content back, <c>/hash</c> its SHA-256, <c>/events</c> a stream, <c>/trailers</c> trailers,
/// <c>/ws</c> a WebSocket that echoes, <c>/large</c> bytes without end announced, <c>/slow</c> an answer after 300 ms, <c>/trace</c> the request's trace fields, <c>/alt-svc</c> an Alt-Svc field, all else method, target and protocol.
/// </summary>
public sealed class EchoUpstream : IAsyncDisposable
{
    private readonly WebApplication _application;

    private EchoUpstream(WebApplication application) => _application = application;

    /// <summary>Where it listens.</summary>
    public int Port => new Uri(_application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;

    /// <summary>Called as each request arrives, on its thread.</summary>
    public Action? OnRequest { get; set; }

    /// <summary>For each event that <c>/events</c> sends, the test releases one.</summary>
    public SemaphoreSlim NextEvent { get; } = new(0);

    /// <summary>Released when a request to <c>/events</c> saw its client go.</summary>
    public SemaphoreSlim ClientGone { get; } = new(0);

    /// <summary>Starts on a free port.</summary>
    /// <param name="certificate">Null for cleartext.</param>
    /// <param name="protocols">What it speaks.</param>
    /// <param name="port">0 for a free one.</param>
    public static async Task<EchoUpstream> StartAsync(X509Certificate2? certificate = null, HttpProtocols protocols = HttpProtocols.Http1, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        if (protocols == HttpProtocols.Http3 && (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS() || OperatingSystem.IsWindows()))
        {
            builder.WebHost.UseQuic();
        }

        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen =>
        {
            listen.Protocols = protocols;
            if (certificate is not null)
            {
                listen.UseHttps(certificate);
            }
        }));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        var upstream = new EchoUpstream(builder.Build());
        upstream._application.UseWebSockets();
        upstream._application.Run(upstream.HandleAsync);
        await upstream._application.StartAsync();
        return upstream;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        NextEvent.Dispose();
        ClientGone.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        OnRequest?.Invoke();
        switch (context.Request.Path.Value)
        {
            case "/echo":
                context.Response.ContentLength = context.Request.ContentLength;
                await context.Request.Body.CopyToAsync(context.Response.Body, context.RequestAborted);
                break;
            case "/hash":
                await context.Response.WriteAsync(Convert.ToHexString(await System.Security.Cryptography.SHA256.HashDataAsync(context.Request.Body, context.RequestAborted)));
                break;
            case "/events":
                await EventsAsync(context);
                break;
            case "/trailers":
                await context.Response.WriteAsync("content");
                context.Response.AppendTrailer("X-Checksum", "42");
                break;
            case "/large":
                for (var i = 0; i < 1_024; i++)
                {
                    await context.Response.Body.WriteAsync(new byte[64 * 1024], context.RequestAborted);
                }

                break;
            case "/slow":
                await Task.Delay(300, context.RequestAborted);
                await context.Response.WriteAsync("slow");
                break;
            case "/alt-svc":
                context.Response.Headers.AltSvc = "h3=\":9999\"";
                break;
            case "/ws":
                await WebSocketAsync(context);
                break;
            case "/trace":
                await context.Response.WriteAsync($"{context.Request.Headers["traceparent"]}|{context.Request.Headers["tracestate"]}");
                break;
            default:
                var request = context.Request;
                await context.Response.WriteAsync($"{request.Method} {request.Path}{request.QueryString} {request.Protocol} host={request.Host} key={request.Headers.Authorization} api_key={request.Headers["X-Api-Key"]} cookie={request.Headers.Cookie}");
                break;
        }
    }

    private async Task EventsAsync(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        try
        {
            for (var i = 1; i <= 3; i++)
            {
                await NextEvent.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync($"data: {i}\n\n", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        catch (OperationCanceledException)
        {
            ClientGone.Release();
        }
    }

    private static async Task WebSocketAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[4096];
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
            if (received.MessageType == System.Net.WebSockets.WebSocketMessageType.Close)
            {
                await socket.CloseAsync(System.Net.WebSockets.WebSocketCloseStatus.NormalClosure, "", context.RequestAborted);
                return;
            }

            await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, context.RequestAborted);
        }
    }
}
