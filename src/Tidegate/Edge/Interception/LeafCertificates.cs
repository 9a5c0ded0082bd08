using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tidegate.Edge.Interception;

/// <summary>Signs a certificate for each intercepted host, and keeps it while it is young.</summary>
internal sealed class LeafCertificates
{
    // About 6 KB each; more hosts than this are signed again when they come back, which costs a signature.
    private const int MaxKept = 1_000;

    // Short, because nothing revokes them; clock differences of an hour are common.
    private static readonly TimeSpan Validity = TimeSpan.FromDays(7);
    private static readonly TimeSpan Backdated = TimeSpan.FromHours(1);

    private readonly X509Certificate2 _authority;
    private readonly TimeProvider _time;

    // One key for all leaves: it never leaves this process, and a key of its own for each host would only cost time.
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ConcurrentDictionary<string, Leaf> _kept = new();
    private readonly ConcurrentQueue<string> _order = new();

    /// <exception cref="CryptographicException">The files hold no usable certificate and key.</exception>
    public LeafCertificates(CertificateFiles authority, TimeProvider time)
    {
        _authority = X509Certificate2.CreateFromPemFile(authority.Certificate, authority.Key);
        _time = time;
    }

    /// <summary>Certificates kept now.</summary>
    public int Count => _kept.Count;

    /// <summary>The certificate for a host name or address in canonical form.</summary>
    public SslStreamCertificateContext For(string host)
    {
        var now = _time.GetUtcNow();
        if (_kept.TryGetValue(host, out var leaf) && leaf.RenewAt > now)
        {
            return leaf.Context;
        }

        var signed = new Leaf(Sign(host, now), now + (Validity / 2));
        if (!_kept.ContainsKey(host))
        {
            _order.Enqueue(host);
        }

        _kept[host] = signed;
        while (_kept.Count > MaxKept && _order.TryDequeue(out var oldest))
        {
            _kept.TryRemove(oldest, out _);
        }

        return signed.Context;
    }

    private SslStreamCertificateContext Sign(string host, DateTimeOffset now)
    {
        // RFC 5280 A.1: a common name has at most 64 characters; clients read the alternative name (RFC 9525 6.3).
        var request = new CertificateRequest(new X500DistinguishedName(host.Length <= 64 ? "CN=" + Quoted(host) : "CN=tidegate"), _key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(names.Build(critical: false));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        Span<byte> serial = stackalloc byte[16];
        RandomNumberGenerator.Fill(serial);

        // RFC 5280 4.1.2.2: positive.
        serial[0] &= 0x7F;
        var end = now + Validity;
        using var signed = request.Create(_authority, now - Backdated, end < _authority.NotAfter ? end : _authority.NotAfter, serial);
        return SslStreamCertificateContext.Create(signed.CopyWithPrivateKey(_key), [], offline: true);
    }

    private static string Quoted(string host) => "\"" + host + "\"";

    private sealed record Leaf(SslStreamCertificateContext Context, DateTimeOffset RenewAt);
}
