using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tidegate.Testing;

/// <summary>Self-signed server certificates in a directory that goes away with it.</summary>
public sealed class TestCertificates : IDisposable
{
    /// <summary>Where the files are.</summary>
    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("tidegate-test-").FullName;

    /// <summary>Writes NAME.pem and NAME.key for hosts and for 127.0.0.1; an existing pair is replaced.</summary>
    public X509Certificate2 Create(string name, params IReadOnlyList<string> hosts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + hosts[0], key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            names.AddDnsName(host);
        }

        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        File.WriteAllText(Path.Combine(Directory, name + ".pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(Directory, name + ".key"), key.ExportPkcs8PrivateKeyPem());
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null);
    }

    /// <inheritdoc/>
    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
