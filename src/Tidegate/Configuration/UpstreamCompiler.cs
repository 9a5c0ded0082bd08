using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.SocketsHttp;
using Tidegate.Policies;

namespace Tidegate.Configuration;

/// <summary>Compiles where an API's requests go.</summary>
internal sealed class UpstreamCompiler(ConfigPositions positions, List<ConfigProblem> problems)
{
    // A label of metrics.
    private const int MaxRegionCharacters = 32;

    /// <param name="api">Whose.</param>
    /// <param name="defaults">Timeouts where the API has none.</param>
    /// <param name="tunnel">What a CONNECT to the API's hosts does.</param>
    public Upstream Compile(ApiConfig api, DefaultsConfig defaults, TunnelMode tunnel)
    {
        var ofDirection = api.Direction == Direction.Egress ? defaults.Egress.Timeouts : defaults.Ingress.Timeouts;
        var timeouts = Timeouts(Timeouts(UpstreamTimeouts.Default, ofDirection), api.Timeouts);
        if (api.Upstream is not { } upstream)
        {
            if (api.Direction == Direction.Ingress)
            {
                Problem(ConfigSeverity.Error, positions.Of(api), "an ingress API needs an upstream with destinations");
            }

            return new Upstream { Name = api.Name, Destinations = [], Timeouts = timeouts };
        }

        if (!upstream.Tls.Verify)
        {
            Problem(ConfigSeverity.Warning, positions.Of(upstream.Tls, "verify"), "certificates of this upstream are not verified; anybody in between can read and change the traffic");
        }

        if (upstream.Tls.Authority is { } authority && !File.Exists(authority))
        {
            Problem(ConfigSeverity.Error, positions.Of(upstream.Tls, "authority"), $"the file '{authority}' cannot be read");
        }

        if (upstream.Protocol == UpstreamProtocolConfig.Http3)
        {
            Http3(api, upstream, tunnel);
        }

        return new Upstream
        {
            Name = api.Name,
            Destinations = [.. Destinations(upstream)],
            Regions = upstream.Destinations.Any(destination => destination.Region.Length > 0) ? [.. upstream.Destinations.Select(destination => destination.Region)] : [],
            Timeouts = timeouts,
            Balance = upstream.Balance,
            Accounts = Accounts(api),
            Ejection = new Ejection(upstream.Ejection.Failures ?? Ejection.Default.Failures, upstream.Ejection.For ?? Ejection.Default.For, upstream.Ejection.Mode == PolicyMode.Observe)
            {
                FailureRatio = upstream.Ejection.FailureRatio ?? Ejection.Default.FailureRatio,
                Minimum = upstream.Ejection.Minimum ?? Ejection.Default.Minimum,
                Window = upstream.Ejection.Window ?? Ejection.Default.Window,
            },
            Tls = new UpstreamTls(upstream.Tls.Verify, upstream.Tls.Authority, upstream.Tls.ServerName),
            Protocol = (UpstreamProtocol)upstream.Protocol,
            RewriteHost = upstream.Host == UpstreamHostConfig.Rewrite,
            MaxConnections = upstream.MaxConnections ?? 0,
        };
    }

    /// <summary>What the more specific place says, else what held before.</summary>
    public static UpstreamTimeouts Timeouts(UpstreamTimeouts inherited, TimeoutsConfig own) =>
        new(own.Connect ?? inherited.Connect, own.ResponseHeaders ?? inherited.ResponseHeaders, own.Idle ?? inherited.Idle, own.Total ?? inherited.Total);

    /// <summary>
    /// Whose count each destination's limits are: as written; else on egress each ordered alternative its own, and those that take turns one. Empty when all are one.
    /// </summary>
    public static IReadOnlyList<string> Accounts(ApiConfig api)
    {
        if (api.Upstream is not { Destinations.Count: > 1 } upstream)
        {
            return [];
        }

        var areAlternatives = api.Direction == Direction.Egress && upstream.Balance == Balance.Ordered;
        string[] accounts = [.. upstream.Destinations.Select(destination => destination.Account.Length > 0 ? destination.Account : areAlternatives ? destination.Url : "")];
        return accounts.Distinct(StringComparer.Ordinal).Count() > 1 ? accounts : [];
    }

    private IEnumerable<Destination> Destinations(UpstreamConfig upstream)
    {
        if (upstream.Destinations.Count == 0)
        {
            Problem(ConfigSeverity.Error, positions.Of(upstream, "destinations"), "an upstream needs at least one destination");
        }

        if (upstream.Destinations.Count > Upstream.MaxDestinations)
        {
            Problem(ConfigSeverity.Error, positions.Of(upstream, "destinations"), $"at most {Upstream.MaxDestinations} destinations can be listed; give more of them one name");
        }

        for (var i = 0; i < upstream.Destinations.Count; i++)
        {
            var text = upstream.Destinations[i].Url;
            if (!IsWord(upstream.Destinations[i].Region))
            {
                Problem(ConfigSeverity.Error, positions.Of(upstream.Destinations[i], "region"), $"'{upstream.Destinations[i].Region}' is no region; write at most {MaxRegionCharacters} letters, digits, hyphens, underscores and dots, for example eu-west");
            }

            if (!IsWord(upstream.Destinations[i].Account))
            {
                Problem(ConfigSeverity.Error, positions.Of(upstream.Destinations[i], "account"), $"'{upstream.Destinations[i].Account}' is no account; write at most {MaxRegionCharacters} letters, digits, hyphens, underscores and dots, for example main");
            }

            if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && (uri.Scheme is "http" or "https") && uri.PathAndQuery == "/" && uri.UserInfo.Length == 0 && uri.Fragment.Length == 0)
            {
                yield return new Destination(uri.Scheme, uri.IdnHost.Trim('[', ']'), uri.Port);
            }
            else
            {
                Problem(ConfigSeverity.Error, positions.Of(upstream.Destinations[i], "url"), $"'{text}' is no destination; write scheme, host and port, for example http://10.0.0.11:5000");
            }
        }
    }

    /// <summary>What HTTP/3 cannot do. The framework connects by itself over QUIC, so what it would pass over in silence is refused here.</summary>
    private void Http3(ApiConfig api, UpstreamConfig upstream, TunnelMode tunnel)
    {
        if (!Http3Sender.IsSupported)
        {
            Problem(ConfigSeverity.Warning, positions.Of(upstream, "protocol"), "this machine has no libmsquic, and without it the gateway will not start; install it, or write another protocol");
        }

        if (api.Direction == Direction.Egress && tunnel is TunnelMode.Verified or TunnelMode.Any)
        {
            var at = api.Tunnel is null ? positions.Of(upstream, "protocol") : positions.Of(api, "tunnel");
            Problem(ConfigSeverity.Error, at, "a tunnel carries TCP and would pass HTTP/3 by; set the API's tunnel to intercept or refused, or write another protocol");
        }

        foreach (var destination in upstream.Destinations)
        {
            if (destination.Url.StartsWith("http:", StringComparison.OrdinalIgnoreCase))
            {
                Problem(ConfigSeverity.Error, positions.Of(destination, "url"), $"HTTP/3 needs TLS, and '{destination.Url}' has none; write https, or another protocol");
            }
        }

        if (upstream.Tls.ServerName is { } name
            && (upstream.Host != UpstreamHostConfig.Rewrite || upstream.Destinations.Any(destination => !Uri.TryCreate(destination.Url, UriKind.Absolute, out var uri) || !uri.IdnHost.Equals(name, StringComparison.OrdinalIgnoreCase))))
        {
            Problem(ConfigSeverity.Error, positions.Of(upstream.Tls, "server_name"), "over HTTP/3 the TLS name is always the Host that is sent; remove server_name (host: rewrite sends the destination's name), or write another protocol");
        }
    }

    private static bool IsWord(string text) => text.Length <= MaxRegionCharacters && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');

    private void Problem(ConfigSeverity severity, ConfigPosition position, string message) => problems.Add(new ConfigProblem(position, severity, message));
}
