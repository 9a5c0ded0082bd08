using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Tidegate.Forwarding.Http1;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>
/// HTTP/3 connections to one address for one name. A handler of its own for each, because after one failed handshake the framework's asks that address no more for ten
/// minutes: whoever sees the failure takes a new handler instead.
/// </summary>
internal sealed class Http3Handler : IDisposable
{
    // The handler's idle timeout is QUIC's too, and counts while an answer is waited for: nothing flows then, and the framework sends no PING. How long an upstream may be
    // silent is for the exchange's own timeouts.
    private static readonly TimeSpan QuietAtMost = TimeSpan.FromHours(1);

    private readonly HttpMessageInvoker _invoker;
    private int _handshakes;
    private int _inFlight;

    /// <param name="key">Where to.</param>
    /// <param name="roots">What certificates are judged by.</param>
    public Http3Handler(Http3Key key, X509ChainPolicy roots)
    {
        Key = key;
        _invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp3Connections = !key.IsSingle,
            PooledConnectionIdleTimeout = QuietAtMost,
            PooledConnectionLifetime = ConnectionPool.Lifetime,
            MaxResponseHeadersLength = 64,
            RequestHeaderEncodingSelector = static (_, request) => EncodingOf(request),
            ResponseHeaderEncodingSelector = static (name, _) => name.Equals("Alt-Svc", StringComparison.OrdinalIgnoreCase) ? UnreadEncoding.Instance : Encoding.Latin1,
            SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = roots,
                RemoteCertificateValidationCallback = (_, _, _, errors) => Judge(errors),
            },
        });
    }

    /// <summary>What its connections depend on.</summary>
    public Http3Key Key { get; }

    /// <summary>Handshakes that came as far as the certificate: where the number stays, a connection was there already.</summary>
    public int Handshakes => Volatile.Read(ref _handshakes);

    /// <summary>Whether some request has a connection. Where none has, whoever waits in vain waits for a handshake, and not for a place beside others.</summary>
    public bool IsInUse => Volatile.Read(ref _inFlight) > 0;

    /// <summary>A timestamp.</summary>
    public long LastUsed { get; set; }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _invoker.SendAsync(request, cancellationToken);

    /// <summary>A request has its connection, until what is returned is disposed of.</summary>
    public IDisposable Begin()
    {
        Interlocked.Increment(ref _inFlight);
        return new InFlight(this);
    }

    /// <summary>Requests in flight still end as they would.</summary>
    public void Dispose() => _invoker.Dispose();

    /// <summary>Asked for each field (Host is one always) when it is written: the only sign that a request has got its connection.</summary>
    private static Encoding EncodingOf(HttpRequestMessage request)
    {
        if (request.Options.TryGetValue(Http3Try.Key, out var made))
        {
            made.Write();
        }

        return Encoding.Latin1;
    }

    private bool Judge(SslPolicyErrors errors)
    {
        Interlocked.Increment(ref _handshakes);
        return !Key.Tls.Verify || errors == SslPolicyErrors.None;
    }

    private sealed class InFlight(Http3Handler handler) : IDisposable
    {
        private int _isOver;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isOver, 1) == 0)
            {
                Interlocked.Decrement(ref handler._inFlight);
            }
        }
    }
}
