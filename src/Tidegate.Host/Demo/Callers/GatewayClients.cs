using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Tidegate.Host.Demo.Callers;

/// <summary>The HTTP clients of the callers: direct, through the gateway as proxy, and through CONNECT with the gateway's CA trusted.</summary>
internal sealed class GatewayClients(IPEndPoint egress, IPEndPoint ingress, string authority) : IDisposable
{
    // New connections come now and then, as they do from real services that are deployed and scaled.
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromSeconds(45);

    private readonly HttpClient _direct = new(Handler(null)) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly HttpClient _proxy = new(Handler(new WebProxy($"http://{egress}"))) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly ConcurrentDictionary<string, HttpClient> _tunnels = new();

    /// <summary>The request, and who sends it.</summary>
    public (HttpClient Client, HttpRequestMessage Request) Prepare(DemoCall call)
    {
        var request = new HttpRequestMessage(new HttpMethod(call.Method), call.Route switch
        {
            CallRoute.BaseUrl => $"http://{egress}{call.Target}",
            CallRoute.Ingress => $"http://{ingress}{call.Target}",
            _ => call.Target,
        });
        request.Headers.UserAgent.ParseAdd($"{call.Caller}/1.4");
        if (call.Content is { } content)
        {
            request.Content = new StringContent(content, Encoding.UTF8, "application/json");
        }

        if (call.Signature is var (name, value))
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (call.Route == CallRoute.Proxy)
        {
            request.Headers.TryAddWithoutValidation("Proxy-Authorization", Basic(call.Key));
        }
        else if (call.Route != CallRoute.Intercepted && call.Key.Length > 0)
        {
            request.Headers.TryAddWithoutValidation("X-Api-Key", call.Key);
        }

        return (call.Route switch
        {
            CallRoute.Proxy => _proxy,
            CallRoute.Intercepted => _tunnels.GetOrAdd(call.Key, Tunnel),
            _ => _direct,
        }, request);
    }

    public void Dispose()
    {
        _direct.Dispose();
        _proxy.Dispose();
        foreach (var client in _tunnels.Values)
        {
            client.Dispose();
        }
    }

    private static SocketsHttpHandler Handler(IWebProxy? proxy) => new()
    {
        Proxy = proxy,
        UseProxy = proxy is not null,
        UseCookies = false,
        AllowAutoRedirect = false,
        PooledConnectionLifetime = ConnectionLifetime,
        ActivityHeadersPropagator = null,
    };

    /// <summary>SocketsHttpHandler sends a proxy credential only when it was refused without; like curl, we send it at once.</summary>
    private HttpClient Tunnel(string key)
    {
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPemFile(authority);
        var handler = Handler(null);
        handler.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = trust };
        handler.ConnectCallback = (context, cancellationToken) => ConnectAsync(context.DnsEndPoint, key, cancellationToken);
        return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    private async ValueTask<Stream> ConnectAsync(DnsEndPoint target, string key, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(egress, cancellationToken);
            var stream = new NetworkStream(socket, ownsSocket: true);
            var name = $"{target.Host}:{target.Port}";
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\nProxy-Authorization: {Basic(key)}\r\n\r\n"), cancellationToken);
            var status = await ReadStatusAsync(stream, cancellationToken);
            return status == 200 ? stream : throw new HttpRequestException($"The proxy answered {status}.", null, (HttpStatusCode)status);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Reads one byte after the other: what follows the head belongs to TLS.</summary>
    private static async Task<int> ReadStatusAsync(Stream stream, CancellationToken cancellationToken)
    {
        // Our own gateway's answer is far shorter.
        var head = new byte[4096];
        for (var length = 0; length < head.Length; length++)
        {
            if (await stream.ReadAsync(head.AsMemory(length, 1), cancellationToken) == 0)
            {
                break;
            }

            if (head.AsSpan(0, length + 1).EndsWith("\r\n\r\n"u8))
            {
                return int.Parse(Encoding.ASCII.GetString(head, "HTTP/1.1 ".Length, 3), System.Globalization.CultureInfo.InvariantCulture);
            }
        }

        throw new HttpRequestException("The proxy's answer has no end.");
    }

    private static string Basic(string key) => "Basic " + Convert.ToBase64String(Encoding.ASCII.GetBytes("key:" + key));
}
