using System.Net;

namespace Tidegate.Configuration;

/// <summary>How the gateway is looked at, as compiled from the configuration.</summary>
/// <param name="Admin">The admin listener; null when it is off.</param>
/// <param name="Otlp">The collector; null when there is none.</param>
/// <param name="MaxSeries">Different label sets of the exchange counters.</param>
/// <param name="RecentExchanges">How many the admin API can show.</param>
/// <param name="Store">What is kept of exchanges; null when nothing is.</param>
internal sealed record ControlSettings(AdminSettings? Admin, OtlpSettings? Otlp, int MaxSeries, int RecentExchanges, KeepSettings? Store);

/// <summary>How many exchanges are kept.</summary>
/// <param name="Directory">Null: in the state directory.</param>
/// <param name="MaxBytes">Of segments and log.</param>
/// <param name="MaxAge">Of an exchange.</param>
/// <param name="Database">Where PostgreSQL is; null: in files.</param>
internal sealed record KeepSettings(string? Directory, long MaxBytes, TimeSpan MaxAge, Secret? Database = null)
{
    /// <summary>A laptop's share and a server's month: about sixty million exchanges.</summary>
    public const long DefaultMaxBytes = 2L << 30;

    // Below that an hour's log would push out the hour before.
    public const long LeastMaxBytes = 16 << 20;

    public static readonly TimeSpan DefaultMaxAge = TimeSpan.FromDays(30);
}

/// <summary>Where the admin listener is and who may use it.</summary>
/// <param name="Address">Port 0 lets the system choose.</param>
/// <param name="Token">Null: whoever reaches the address, which is loopback then.</param>
internal sealed record AdminSettings(IPEndPoint Address, Secret? Token);

/// <summary>Where metrics and traces go.</summary>
/// <param name="Endpoint">Scheme, host and port.</param>
/// <param name="IsGrpc">OTLP/gRPC; else OTLP/HTTP with protobuf.</param>
/// <param name="Headers">Sent with every export.</param>
/// <param name="ServiceName">service.name.</param>
/// <param name="Sample">Share of exchanges without a trace of their own that are traced, 0 to 1.</param>
internal sealed record OtlpSettings(Uri Endpoint, bool IsGrpc, IReadOnlyList<(string Name, Secret Value)> Headers, string ServiceName, double Sample)
{
    /// <summary>The endpoint as people write it.</summary>
    public string Name => Endpoint.GetLeftPart(UriPartial.Authority);
}
