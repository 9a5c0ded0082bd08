using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Tidegate.Configuration;
using Tidegate.Edge;
using Tidegate.Edge.Interception;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate ca create | show | trust</c>: the CA that signs certificates of intercepted hosts.</summary>
internal static class CaCommand
{
    public static Command Create()
    {
        var directory = new Option<string?>("--directory") { Description = "The state directory. Default: $STATE_DIRECTORY, else .tidegate here.", Recursive = true };
        var create = new Command("create", "Create the CA; never over an existing one.");
        create.SetAction(parsed => CreateAuthority(Files(parsed.GetValue(directory)), parsed.InvocationConfiguration));
        var show = new Command("show", "Show the CA's certificate.");
        show.SetAction(parsed => Show(Files(parsed.GetValue(directory)), parsed.InvocationConfiguration, Describe));
        var trust = new Command("trust", "Say how clients are made to trust it.");
        trust.SetAction(parsed => Show(Files(parsed.GetValue(directory)), parsed.InvocationConfiguration, Instructions));
        return new Command("ca", "The CA that signs certificates of intercepted hosts.") { directory, create, show, trust };
    }

    private static CertificateFiles Files(string? directory) =>
        CertificateAuthority.In(Path.GetFullPath(directory ?? StateDirectory.Of(new GatewayConfig(), null, Environment.GetEnvironmentVariable)));

    private static int CreateAuthority(CertificateFiles files, InvocationConfiguration console)
    {
        try
        {
            using var certificate = CertificateAuthority.Create(files, TimeProvider.System);
            console.Output.WriteLine(Describe(files, certificate));
            console.Output.WriteLine($"The key is {files.Key}; only its owner may read it. Whoever has it can pretend to be any host to clients that trust this CA.");
            console.Output.WriteLine(Instructions(files, certificate));
            return ExitCode.Success;
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            console.Error.WriteLine(File.Exists(files.Key) || File.Exists(files.Certificate)
                ? $"There is a CA in {Path.GetDirectoryName(files.Key)} already. Show it with: tidegate ca show"
                : $"The CA cannot be written: {unwritable.Message}");
            return ExitCode.Configuration;
        }
    }

    private static int Show(CertificateFiles files, InvocationConfiguration console, Func<CertificateFiles, X509Certificate2, string> text)
    {
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificateFromFile(files.Certificate);
            console.Output.WriteLine(text(files, certificate));
            return ExitCode.Success;
        }
        catch (Exception unreadable) when (unreadable is CryptographicException or IOException or UnauthorizedAccessException)
        {
            console.Error.WriteLine($"{files.Certificate} cannot be read. Create a CA with: tidegate ca create");
            return ExitCode.Configuration;
        }
    }

    private static string Describe(CertificateFiles files, X509Certificate2 certificate) => $"""
        {certificate.Subject}
        certificate: {files.Certificate}
        valid:       {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd} to {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd}
        sha256:      {certificate.GetCertHashString(HashAlgorithmName.SHA256)}
        """;

    private static string Instructions(CertificateFiles files, X509Certificate2 certificate) => $"""
        Trust it only on machines whose calls go through this gateway:
          one process      curl --cacert {files.Certificate} · SSL_CERT_FILE={files.Certificate} (OpenSSL, Go, .NET on Linux; replaces the system's roots)
          Node             NODE_EXTRA_CA_CERTS={files.Certificate}
          Python requests  REQUESTS_CA_BUNDLE={files.Certificate} (replaces the usual roots)
          Java             keytool -importcert -cacerts -noprompt -alias tidegate -file {files.Certificate}
          Debian, Ubuntu   sudo cp {files.Certificate} /usr/local/share/ca-certificates/tidegate.crt && sudo update-ca-certificates
          Fedora, RHEL     sudo cp {files.Certificate} /etc/pki/ca-trust/source/anchors/tidegate.pem && sudo update-ca-trust
          macOS            sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {files.Certificate}
          Windows          certutil -addstore Root {files.Certificate}
        To stop: remove it there by its SHA-256 {certificate.GetCertHashString(HashAlgorithmName.SHA256)[..16]}...
        """;
}
