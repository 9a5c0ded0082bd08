using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Tidegate.Host.Demo.Apis;

/// <summary>One server process for all simulated APIs, each on a free port of loopback; those of third parties over TLS.</summary>
internal sealed class SimulatedServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly Dictionary<int, ISimulatedApi> _byPort = [];

    private readonly X509Certificate2 _certificate;

    private SimulatedServer(WebApplication application, X509Certificate2 certificate)
    {
        _application = application;
        _certificate = certificate;
    }

    /// <summary>Where each listens, by its name.</summary>
    public IReadOnlyDictionary<string, int> Ports => _byPort.ToDictionary(entry => entry.Value.Name, entry => entry.Key);

    /// <summary>Starts; the server owns the certificate from here on.</summary>
    public static async Task<SimulatedServer> StartAsync(IReadOnlyList<ISimulatedApi> apis, X509Certificate2 certificate, CancellationToken cancellationToken)
    {
        var listening = new List<(ListenOptions Options, ISimulatedApi Api)>();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            foreach (var api in apis)
            {
                kestrel.Listen(IPAddress.Loopback, 0, options =>
                {
                    options.Protocols = HttpProtocols.Http1AndHttp2;
                    listening.Add((options, api));
                    if (api.Host is not null)
                    {
                        options.UseHttps(certificate);
                    }
                    else
                    {
                        options.Protocols = HttpProtocols.Http1;
                    }
                });
            }
        });
        var server = new SimulatedServer(builder.Build(), certificate);
        server._application.Run(server.AnswerAsync);
        await server._application.StartAsync(cancellationToken);
        foreach (var (options, api) in listening)
        {
            server._byPort.Add(options.IPEndPoint!.Port, api);
        }

        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        _certificate.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        try
        {
            await _byPort[context.Connection.LocalPort].AnswerAsync(context);
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException or HttpRequestException)
        {
            // The gateway closed the connection because its client left, or the whole demo is stopping.
            context.Abort();
        }
    }
}
