using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tidegate.Edge.Interception;

/// <summary>Makes the CA that signs certificates of intercepted hosts.</summary>
internal static class CertificateAuthority
{
    /// <summary>Below a state directory.</summary>
    public const string CertificateName = "ca/ca.pem";

    /// <summary>Below a state directory.</summary>
    public const string KeyName = "ca/ca.key";

    // Long enough that clients are not asked to trust a new one each year, short enough that a lost key is not for ever.
    private const int ValidDays = 5 * 365;

    /// <summary>Where a state directory has its CA.</summary>
    public static CertificateFiles In(string stateDirectory) => new(Path.Combine(stateDirectory, CertificateName), Path.Combine(stateDirectory, KeyName));

    /// <summary>Creates the two files; the key only for its owner (mode 0600) from its first byte on.</summary>
    /// <exception cref="IOException">One of them is there already, or the directory cannot be written.</exception>
    public static X509Certificate2 Create(CertificateFiles files, TimeProvider time)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(files.Key)!);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(new X500DistinguishedName($"CN=Tidegate CA of {Environment.MachineName}, O=Tidegate"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = time.GetUtcNow();
        var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddDays(ValidDays));

        // The key first: a certificate without its key would look complete to the next start.
        Write(files.Key, key.ExportPkcs8PrivateKeyPem(), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Write(files.Certificate, certificate.ExportCertificatePem(), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        return certificate;
    }

    private static void Write(string path, string pem, UnixFileMode mode)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = mode;
        }

        using var writer = new StreamWriter(path, options);
        writer.Write(pem);
        writer.Write('\n');
    }
}
