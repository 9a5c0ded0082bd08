using System.Net;
using Tidegate.Forwarding.Connecting;

namespace Tidegate.Forwarding;

/// <summary>What a process chooses once for all upstreams.</summary>
internal sealed record ForwarderOptions
{
    /// <summary>The environment variable that <see cref="Client"/> is read from. A way out, not a setting: see docs/reference/upstreams.md.</summary>
    public const string ClientVariable = "TIDEGATE_UPSTREAM_CLIENT";

    /// <summary>Who speaks HTTP/1.1 to upstreams.</summary>
    public UpstreamClient Client { get; init; }

    /// <summary>Where connections come from.</summary>
    public ConnectionSource Source { get; init; } = new(new SocketConnectionFactory());

    /// <summary>Looks up a name.</summary>
    public Func<string, CancellationToken, Task<IPAddress[]>> Resolve { get; init; } = Dns.GetHostAddressesAsync;

    /// <summary>With the client that the environment asks for.</summary>
    /// <param name="client">The variable's value; null or empty for our own.</param>
    /// <exception cref="ArgumentException">There is no such client.</exception>
    public static ForwarderOptions FromEnvironment(string? client) => client switch
    {
        null or "" => new ForwarderOptions(),
        "sockets_http_handler" => new ForwarderOptions { Client = UpstreamClient.SocketsHttpHandler },
        _ => throw new ArgumentException($"{ClientVariable} can be sockets_http_handler or empty, not '{client}'."),
    };
}

/// <summary>Who speaks HTTP/1.1 to upstreams.</summary>
internal enum UpstreamClient
{
    /// <summary>Our own.</summary>
    Own,

    /// <summary>The framework's, for everything.</summary>
    SocketsHttpHandler,
}
