using System.Net;
using Tidegate.Edge;

namespace Tidegate.Configuration;

/// <summary>Compiles the admin listener and what is exported.</summary>
internal sealed class ControlCompiler(ConfigPositions positions, List<ConfigProblem> problems)
{
    /// <summary>Writing it as the address turns the admin listener off.</summary>
    public const string Off = "off";

    // Enough to look back over an hour of trouble, little enough to hold: a record is about 1 KB.
    private const int MaxRecentExchanges = 100_000;

    /// <summary>The default of <c>recent_exchanges</c>.</summary>
    public const int DefaultRecentExchanges = 1_000;

    /// <summary>The default of <c>max_series</c>.</summary>
    public const int DefaultMaxSeries = Recording.Metrics.ExchangeMetrics.DefaultCapacity;

    // Ten times what a scrape should carry: who needs more needs a store of exchanges, not metrics.
    private const int MaxMaxSeries = 20_000;

    public ControlSettings Compile(GatewayConfig config, IReadOnlyList<ListenerSettings> listeners)
    {
        var recording = config.Recording;
        AtMost(recording, "recent_exchanges", recording.RecentExchanges, MaxRecentExchanges);
        AtMost(recording.Metrics, "max_series", recording.Metrics.MaxSeries, MaxMaxSeries);
        return new ControlSettings(
            Admin(config.Listeners.Admin ?? new AdminListenerConfig(), listeners),
            recording.Otlp is { } otlp ? Otlp(otlp) : null,
            recording.Metrics.MaxSeries ?? DefaultMaxSeries,
            recording.RecentExchanges ?? DefaultRecentExchanges,
            Store(recording.Store));
    }

    private KeepSettings? Store(StoreConfig store)
    {
        if (store.MaxSize < KeepSettings.LeastMaxBytes)
        {
            Error(store, "max_size", "max_size is at least 16MB; to keep nothing write path: off");
        }

        if (store.MaxAge < TimeSpan.FromHours(1))
        {
            Error(store, "max_age", "max_age is at least 1h; to keep nothing write path: off");
        }

        if (store is { Postgresql: not null, Path: not null })
        {
            Error(store, "postgresql", "exchanges are kept in one place: leave out path or postgresql");
        }

        return store.Path == Off ? null : new KeepSettings(store.Path, store.MaxSize ?? KeepSettings.DefaultMaxBytes, store.MaxAge ?? KeepSettings.DefaultMaxAge, store.Postgresql);
    }

    private AdminSettings? Admin(AdminListenerConfig admin, IReadOnlyList<ListenerSettings> listeners)
    {
        if (admin.Address == Off)
        {
            return null;
        }

        if (!ListenerCompiler.TryAddress(admin.Address, out var address))
        {
            Error(admin, "address", $"'{admin.Address}' is no address; write IP and port, for example 127.0.0.1:9900, or off");
            return null;
        }

        if (!IPAddress.IsLoopback(address.Address) && admin is { Token: null, SignIn: null })
        {
            Error(admin, "address", "the admin listener is not on loopback; set listeners.admin.token or listeners.admin.sign_in, or use 127.0.0.1");
        }

        if (address.Port != 0 && listeners.FirstOrDefault(listener => listener.Address.Equals(address)) is { } taken)
        {
            Error(admin, "address", $"{address} is the {taken.Name} listener's; the admin listener needs an address of its own");
        }

        if (admin.Token is { Value.Length: < 16 })
        {
            Error(admin, "token", "the token needs at least 16 characters; make one with: openssl rand -hex 32");
        }
        else if (admin.Token?.Value.Any(letter => letter is <= ' ' or >= '\x7f') == true)
        {
            Error(admin, "token", "the token may only have visible ASCII characters, because it travels in a header field");
        }

        return new AdminSettings(address, admin.Token, admin.SignIn is { } signIn ? new SignInCompiler(positions, problems).Compile(signIn) : null);
    }

    private OtlpSettings? Otlp(OtlpConfig otlp)
    {
        for (var i = 0; i < otlp.Headers.Count; i++)
        {
            if (otlp.Headers[i].Name.Length == 0 || !Edge.Http1.HeadParser.IsToken(otlp.Headers[i].Name))
            {
                Error(otlp.Headers[i], "name", $"'{otlp.Headers[i].Name}' is no name of a header field");
            }

            if (otlp.Headers[i].Value.Value.Any(letter => letter is < ' ' or >= '\x7f'))
            {
                Error(otlp.Headers[i], "value", "the value of a header field may only have visible ASCII characters and spaces");
            }
        }

        if (!Uri.TryCreate(otlp.Endpoint, UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https")
            || endpoint.PathAndQuery != "/" || endpoint.UserInfo.Length > 0 || endpoint.Fragment.Length > 0)
        {
            Error(otlp, "endpoint", $"'{otlp.Endpoint}' is no collector; write scheme, host and port, for example http://127.0.0.1:4317");
            return null;
        }

        var isGrpc = otlp.Protocol is { } protocol ? protocol == OtlpProtocolConfig.Grpc : endpoint.Port != 4318;
        return new OtlpSettings(endpoint, isGrpc, [.. otlp.Headers.Select(header => (header.Name, header.Value))], otlp.ServiceName, otlp.Logs, otlp.Sample);
    }

    private void AtMost(object record, string key, int? value, int most)
    {
        if (value > most)
        {
            Error(record, key, $"'{key}' is {value}; the most is {most}");
        }
    }

    private void Error(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
