using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>
/// A service that keeps every request it got. A path that ends in <c>/parts</c> sends three parts, one for each release of <see cref="NextPart"/>; in <c>/ws</c> is
/// a WebSocket that echoes, and closes when it is told <c>close</c>; all else is answered with the target.
/// </summary>
internal sealed class CapturingUpstream : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ConcurrentQueue<ReceivedRequest> _received = new();

    private CapturingUpstream(WebApplication application) => _application = application;

    /// <summary>What came, in order.</summary>
    public IReadOnlyCollection<ReceivedRequest> Received => _received;

    /// <summary>How the last WebSocket was closed by its client, as far as it was.</summary>
    public (WebSocketCloseStatus? Status, string? Reason) Closed { get; private set; }

    public SemaphoreSlim NextPart { get; } = new(0);

    public int Port => new Uri(_application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;

    /// <summary>Starts on a free port.</summary>
    /// <param name="certificate">Null for cleartext HTTP/1.1; else HTTP/1.1 and HTTP/2 over TLS.</param>
    public static async Task<CapturingUpstream> StartAsync(X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
                if (certificate is not null)
                {
                    listen.UseHttps(certificate);
                }
            });
        });
        var upstream = new CapturingUpstream(builder.Build());
        upstream._application.UseWebSockets();
        upstream._application.Run(upstream.HandleAsync);
        await upstream._application.StartAsync();
        return upstream;
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        NextPart.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var request = context.Request;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var bytes = 0L;
        if (!context.WebSockets.IsWebSocketRequest)
        {
            var buffer = new byte[32 * 1024];
            int count;
            while ((count = await request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
            {
                hash.AppendData(buffer, 0, count);
                bytes += count;
            }
        }

        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var fields = request.Headers.ToDictionary(field => field.Key, field => field.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        _received.Enqueue(new ReceivedRequest(request.Method, target, request.Protocol, request.Host.Value ?? "", fields, bytes, Convert.ToHexString(hash.GetHashAndReset())));
        context.Response.Headers["X-Upstream"] = "capturing";
        if (context.WebSockets.IsWebSocketRequest)
        {
            await EchoAsync(context);
        }
        else if (request.Path.Value!.EndsWith("/parts", StringComparison.Ordinal))
        {
            for (var i = 1; i <= 3; i++)
            {
                await NextPart.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync($"part {i}\n", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        else
        {
            await context.Response.WriteAsync("answer to " + target, context.RequestAborted);
        }
    }

    private async Task EchoAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
            if (received.MessageType == WebSocketMessageType.Close)
            {
                Closed = (socket.CloseStatus, socket.CloseStatusDescription);
                if (socket.State == WebSocketState.CloseReceived)
                {
                    await socket.CloseOutputAsync(socket.CloseStatus!.Value, "echo: " + socket.CloseStatusDescription, context.RequestAborted);
                }

                return;
            }

            if (received.MessageType == WebSocketMessageType.Text && Encoding.UTF8.GetString(buffer, 0, received.Count) == "close")
            {
                await socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, "the server goes", context.RequestAborted);
                continue;
            }

            await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, context.RequestAborted);
        }
    }
}
