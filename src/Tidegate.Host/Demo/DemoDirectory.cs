using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Tidegate.Edge;
using Tidegate.Edge.Interception;

namespace Tidegate.Host.Demo;

/// <summary>The demo's own directory, only for its user, which goes away with it: the configuration from samples/demo and the files that it refers to.</summary>
internal sealed class DemoDirectory : IDisposable
{
    private const string Samples = "demo/";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-demo-");

    /// <summary>Absolute.</summary>
    public string Path => _directory.FullName;

    /// <summary>The file that the gateway runs.</summary>
    public string Configuration => At("tidegate.yaml");

    /// <summary>The CA of intercepted hosts, which callers trust.</summary>
    public CertificateFiles Authority => CertificateAuthority.In(At("state"));

    /// <summary>Copies the configuration out of the program, and creates keys and CA.</summary>
    public void Create(TimeProvider time)
    {
        var assembly = typeof(DemoDirectory).Assembly;
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Samples, StringComparison.Ordinal)))
        {
            using var content = assembly.GetManifestResourceStream(name)!;
            using var file = File.Create(At(name[Samples.Length..]));
            content.CopyTo(file);
        }

        foreach (var name in DemoKeys.Consumers)
        {
            Write($"keys/{name}", DemoKeys.Consumer(name));
        }

        foreach (var name in DemoKeys.Providers)
        {
            Write($"keys/{name}-provider", DemoKeys.Provider(name));
        }

        Write("keys/catalogue-hooks", DemoKeys.CatalogueHooks);
        CertificateAuthority.Create(Authority, time).Dispose();
    }

    /// <summary>Writes down where something listens.</summary>
    public void WritePort(string name, int port) => Write($"ports/{name}", port.ToString(CultureInfo.InvariantCulture));

    /// <summary>One certificate for all third parties, written down as the root to trust them by.</summary>
    public X509Certificate2 CreateThirdPartyCertificate(IEnumerable<string> hosts, TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Third parties of the Tidegate demo", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        var now = time.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddDays(30));
        Write("third-parties.pem", certificate.ExportCertificatePem());

        // A key that came from memory is not usable for TLS on every platform until it has been through PKCS#12.
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null);
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private string At(string name) => System.IO.Path.Combine(Path, name);

    private void Write(string name, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(At(name))!);
        File.WriteAllText(At(name), text);
    }
}
