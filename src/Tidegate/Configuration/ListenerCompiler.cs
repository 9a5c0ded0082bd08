using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Tidegate.Edge;
using Tidegate.Edge.Interception;
using Tidegate.Edge.Multiplexed;
using Tidegate.Exchanges;

namespace Tidegate.Configuration;

/// <summary>Compiles where the gateway listens, and looks at every certificate, so that a bad one is found before traffic is.</summary>
internal sealed class ListenerCompiler(ConfigPositions positions, List<ConfigProblem> problems)
{
    public IReadOnlyList<ListenerSettings> Compile(GatewayConfig config, string stateDirectory)
    {
        var compiled = new List<ListenerSettings>();
        if (config.Listeners.Egress is { } egress)
        {
            compiled.Add(new ListenerSettings
            {
                Name = "egress",
                Direction = Direction.Egress,
                Address = Address(egress, egress.Address),
                Authority = egress.Intercept ? Authority(egress, stateDirectory) : null,
                Limits = Limits(egress.Limits),
            });
        }

        if (config.Listeners.Ingress is { } ingress)
        {
            foreach (var certificate in ingress.Tls)
            {
                Certificate(certificate);
            }

            compiled.Add(new ListenerSettings
            {
                Name = "ingress",
                Direction = Direction.Ingress,
                Address = Address(ingress, ingress.Address),
                Certificates = [.. ingress.Tls.Select(certificate => new CertificateFiles(certificate.Certificate, certificate.Key))],
                TrustedProxies = [.. Networks(ingress)],
                Http3 = Http3(ingress),
                Http3AdvertisedPort = ingress.Http3AdvertisedPort,
                Limits = Limits(ingress.Limits),
            });
        }

        if (compiled.Count == 0)
        {
            Error(positions.Of(config), "nothing listens; add listeners.egress, listeners.ingress or both");
        }

        foreach (var twice in compiled.GroupBy(listener => listener.Address).Where(group => group.Key.Port != 0 && group.Count() > 1))
        {
            Error(positions.Of(config.Listeners.Ingress!, "address"), $"{twice.Key} is used by two listeners");
        }

        return compiled;
    }

    /// <summary>The certificates and keys that a listener uses.</summary>
    public static IEnumerable<string> Files(ListenerSettings listener) =>
        (listener.Authority is null ? listener.Certificates : [.. listener.Certificates, listener.Authority]).SelectMany(files => new[] { files.Certificate, files.Key });

    private Http3Mode Http3(IngressListenerConfig ingress)
    {
        if (ingress.Http3AdvertisedPort is < 1 or > 65535)
        {
            Error(positions.Of(ingress, "http3_advertised_port"), "a port is a number from 1 to 65535");
        }

        if (ingress.Http3 == Http3Mode.On && ingress.Tls.Count == 0)
        {
            Error(positions.Of(ingress, "http3"), "HTTP/3 needs TLS; add tls, or remove the key");
        }
        else if (ingress.Http3 == Http3Mode.On && !Http3Listener.IsSupported)
        {
            problems.Add(new ConfigProblem(positions.Of(ingress, "http3"), ConfigSeverity.Warning, "this machine has no libmsquic, and without it the gateway will not start; install it, or write auto"));
        }

        return ingress.Http3;
    }

    private CertificateFiles Authority(EgressListenerConfig egress, string stateDirectory)
    {
        if (egress.Authority is { } configured)
        {
            Certificate(configured);
            return new CertificateFiles(configured.Certificate, configured.Key);
        }

        var own = CertificateAuthority.In(stateDirectory);
        if (!File.Exists(own.Certificate) || !File.Exists(own.Key))
        {
            Error(positions.Of(egress, "intercept"), $"interception needs a CA, and there is none in '{stateDirectory}'; create it with: tidegate ca create --directory {stateDirectory}");
        }

        return own;
    }

    private IPEndPoint Address(object record, string text)
    {
        if (TryAddress(text, out var endPoint))
        {
            return endPoint;
        }

        Error(positions.Of(record, "address"), $"'{text}' is no address; write IP and port, for example 127.0.0.1:8080 or [::]:8443");
        return new IPEndPoint(IPAddress.Loopback, 0);
    }

    /// <summary>An address with a port that is written out.</summary>
    public static bool TryAddress(string text, out IPEndPoint endPoint)
    {
        var isAddress = IPEndPoint.TryParse(text, out var parsed) && text.EndsWith(":" + parsed.Port, StringComparison.Ordinal);
        endPoint = parsed!;
        return isAddress;
    }

    private void Certificate(CertificateConfig? files)
    {
        if (files is null)
        {
            return;
        }

        foreach (var (key, path) in (ReadOnlySpan<(string, string)>)[("certificate", files.Certificate), ("key", files.Key)])
        {
            if (!File.Exists(path))
            {
                Error(positions.Of(files, key), $"the file '{path}' cannot be read");
                return;
            }
        }

        try
        {
            using var certificate = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);
        }
        catch (Exception unusable) when (unusable is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            Error(positions.Of(files, "certificate"), $"the certificate and key cannot be used together: {unusable.Message}");
        }
    }

    private IEnumerable<IPNetwork> Networks(IngressListenerConfig ingress)
    {
        for (var i = 0; i < ingress.TrustedProxies.Count; i++)
        {
            var text = ingress.TrustedProxies[i];
            if (IPNetwork.TryParse(text, out var network))
            {
                yield return network;
            }
            else if (IPAddress.TryParse(text, out var address))
            {
                yield return new IPNetwork(address, address.GetAddressBytes().Length * 8);
            }
            else
            {
                Error(positions.Of(ingress, "trusted_proxies", i), $"'{text}' is no network; write for example 10.0.0.0/8 or 192.0.2.7");
            }
        }
    }

    // What is held in memory for each connection stays below 1 MB, whatever the file says.
    private static int Bytes(long? configured, int otherwise) => (int)Math.Min(configured ?? otherwise, 1 << 20);

    /// <summary>What the file says, else the defaults.</summary>
    public static EdgeLimits Limits(LimitsConfig config) => EdgeLimits.Default with
    {
        MaxHeadBytes = Bytes(config.Head, EdgeLimits.Default.MaxHeadBytes),
        MaxTargetBytes = Bytes(config.Target, EdgeLimits.Default.MaxTargetBytes),
        MaxTrailerBytes = Bytes(config.Trailers, EdgeLimits.Default.MaxTrailerBytes),
        MinBodyBytesPerSecond = Bytes(config.BodyRate, EdgeLimits.Default.MinBodyBytesPerSecond),
        BodyGrace = config.BodyGrace ?? EdgeLimits.Default.BodyGrace,
        StallTimeout = config.StallTimeout ?? EdgeLimits.Default.StallTimeout,
        MaxDrainBytes = Bytes(config.Drain, EdgeLimits.Default.MaxDrainBytes),
        DrainTimeout = config.DrainTimeout ?? EdgeLimits.Default.DrainTimeout,
        MaxHeaderCount = config.HeaderCount ?? EdgeLimits.Default.MaxHeaderCount,
        HeaderTimeout = config.HeaderTimeout ?? EdgeLimits.Default.HeaderTimeout,
        IdleTimeout = config.IdleTimeout ?? EdgeLimits.Default.IdleTimeout,
        MaxConnections = config.Connections ?? EdgeLimits.Default.MaxConnections,
        MaxConnectionsPerAddress = config.ConnectionsPerAddress ?? EdgeLimits.Default.MaxConnectionsPerAddress,
        MaxStreamsPerConnection = config.StreamsPerConnection ?? EdgeLimits.Default.MaxStreamsPerConnection,
    };

    private void Error(ConfigPosition position, string message) => problems.Add(new ConfigProblem(position, ConfigSeverity.Error, message));
}
