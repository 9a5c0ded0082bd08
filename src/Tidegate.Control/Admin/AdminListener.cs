using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Tidegate.Configuration;

namespace Tidegate.Control.Admin;

/// <summary>The admin listener: a server of its own on an address of its own, so that no traffic port can ever answer an admin path.</summary>
internal sealed class AdminListener : IAsyncDisposable
{
    // A scrape, an orchestrator's probes and people, whose browsers keep six each. More is a mistake, or somebody who should not be here.
    private const int MaxConnections = 256;

    // Four browsers behind one address; the rest stays for probes and others.
    private const int MaxConnectionsPerAddress = 32;

    // Open pages: each takes about a megabyte, and some of a core's time each second.
    private const int MaxPages = 64;

    // Only a purge has content, and it names one thing. Tokens are short.
    private const int MaxContentBytes = 4 * 1024;
    private const int MaxHeadBytes = 16 * 1024;
    private static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(75);

    // Whoever still reads an answer when the process ends gets this long.
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1);

    private readonly IPEndPoint _address;
    private readonly WebApplication _host;
    private ListenOptions? _options;
    private volatile AdminSettings _settings;

    public AdminListener(AdminSettings settings, Func<AdminListener, AdminHandler> handler)
    {
        _address = settings.Address;
        _settings = settings;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Configure);
        _host = builder.Build();
        _host.Run(handler(this).HandleAsync);
    }

    /// <summary>Where it really listens, once started.</summary>
    public IPEndPoint EndPoint => _options?.IPEndPoint ?? _address;

    /// <summary>Who may ask now.</summary>
    public AdminAccess Access => Of(_settings);

    /// <exception cref="AdminListenException">The address is in use or not ours.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _host.StartAsync(cancellationToken);
        }
        catch (Exception refused) when (refused is IOException or SocketException)
        {
            var reason = refused.InnerException is AddressInUseException ? "the address is in use" : (refused.InnerException ?? refused).Message;
            throw new AdminListenException($"admin cannot listen on {_address}: {reason}. Set listeners.admin.address to another one, or to off.", refused);
        }
    }

    /// <summary>Puts another token and other people in force. The address stays until the next start.</summary>
    public void Update(AdminSettings? settings)
    {
        // Without either the address must be loopback, and it is the old one that counts.
        if (settings is not null && (settings is not { Token: null, SignIn: null } || IPAddress.IsLoopback(EndPoint.Address)))
        {
            _settings = settings;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(StopTimeout, TimeProvider.System);
        await _host.StopAsync(patience.Token);
        await _host.DisposeAsync();
    }

    private AdminAccess Of(AdminSettings settings) => new(EndPoint, settings.Token, settings.SignIn);

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = MaxConnections;
        kestrel.Limits.MaxConcurrentUpgradedConnections = MaxPages;
        kestrel.Limits.MaxRequestBodySize = MaxContentBytes;
        kestrel.Limits.MaxRequestHeadersTotalSize = MaxHeadBytes;
        kestrel.Limits.RequestHeadersTimeout = HeadTimeout;
        kestrel.Limits.KeepAliveTimeout = IdleTimeout;
        kestrel.Listen(_address, options =>
        {
            options.Protocols = HttpProtocols.Http1;
            options.Use(new AdminConnections(MaxConnectionsPerAddress).Count);
            _options = options;
        });
    }
}
