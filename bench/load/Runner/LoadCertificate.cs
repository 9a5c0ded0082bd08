using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tidegate.Load;

/// <summary>A self-signed P-256 certificate for one run; every proxy serves the same.</summary>
internal sealed class LoadCertificate
{
    public LoadCertificate(string folder)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=load.test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("load.test");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(7));

        ChainFile = Path.Combine(folder, "load.pem");
        KeyFile = Path.Combine(folder, "load.key");
        BothFile = Path.Combine(folder, "load-both.pem");
        File.WriteAllText(ChainFile, certificate.ExportCertificatePem());
        File.WriteAllText(KeyFile, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(BothFile, certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
    }

    public string ChainFile { get; }

    public string KeyFile { get; }

    /// <summary>Both in one, as HAProxy wants them.</summary>
    public string BothFile { get; }
}
