using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Tidegate.Edge;

/// <summary>A listener's certificates as read from their files, chosen by the client's SNI.</summary>
internal sealed class ServedCertificates
{
    private readonly (X509Certificate2 Leaf, SslStreamCertificateContext Context)[] _certificates;

    /// <exception cref="System.Security.Cryptography.CryptographicException">A file holds no usable certificate and key.</exception>
    public ServedCertificates(IReadOnlyList<CertificateFiles> files) => _certificates = [.. files.Select(Load)];

    /// <summary>The first whose names fit; the first of all when none does, so that the client sees a name it can judge.</summary>
    public SslStreamCertificateContext For(string? serverName)
    {
        foreach (var (leaf, context) in _certificates)
        {
            if (!string.IsNullOrEmpty(serverName) && leaf.MatchesHostname(serverName))
            {
                return context;
            }
        }

        return _certificates[0].Context;
    }

    /// <summary>The leaf, and the intermediates that stand behind it in the same file. No look-up on the network.</summary>
    public static (X509Certificate2 Leaf, SslStreamCertificateContext Context) Load(CertificateFiles files)
    {
        var leaf = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(files.Certificate);
        return (leaf, SslStreamCertificateContext.Create(leaf, chain, offline: true));
    }
}
