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
/// <param name="Token">For programs; null: none can ask, or without <paramref name="SignIn"/> everybody who reaches the address, which is loopback then.</param>
/// <param name="SignIn">For people; null: the token is.</param>
internal sealed record AdminSettings(IPEndPoint Address, Secret? Token, SignInSettings? SignIn = null);

/// <summary>Who may sign in.</summary>
/// <param name="Users">By name.</param>
/// <param name="Oidc">Null: no provider is asked.</param>
/// <param name="SessionLife">How long.</param>
internal sealed record SignInSettings(IReadOnlyDictionary<string, UserSettings> Users, OidcSettings? Oidc, TimeSpan SessionLife)
{
    /// <summary>A working day: whoever is back the next morning signs in again.</summary>
    public static readonly TimeSpan DefaultSessionLife = TimeSpan.FromHours(12);
}

/// <summary>Somebody whom the gateway knows itself.</summary>
/// <param name="Name">Unique.</param>
/// <param name="Password">Its hash.</param>
/// <param name="Role">What they may.</param>
/// <param name="Tenants">Whose exchanges they see; empty: everything.</param>
internal sealed record UserSettings(string Name, PasswordHash Password, AdminRole Role, IReadOnlyList<string> Tenants);

/// <summary>A provider that knows people.</summary>
/// <param name="Issuer">As in its tokens.</param>
/// <param name="ClientId">What it calls us.</param>
/// <param name="ClientSecret">Null: a public client.</param>
/// <param name="PublicUrl">Where people reach us; null: what their request says.</param>
/// <param name="Scopes">With openid.</param>
/// <param name="NameClaim">For the audit log.</param>
/// <param name="GrantClaim">What grants look at.</param>
/// <param name="Grants">The highest roles first.</param>
internal sealed record OidcSettings(string Issuer, string ClientId, Secret? ClientSecret, Uri? PublicUrl, IReadOnlyList<string> Scopes, string NameClaim, string GrantClaim, IReadOnlyList<GrantSettings> Grants);

/// <summary>What people with a value of the claim may.</summary>
/// <param name="Value">* is everybody.</param>
/// <param name="Role">What they may.</param>
/// <param name="Tenants">Whose exchanges they see; empty: everything.</param>
internal sealed record GrantSettings(string Value, AdminRole Role, IReadOnlyList<string> Tenants);

/// <summary>Where metrics and traces go.</summary>
/// <param name="Endpoint">Scheme, host and port.</param>
/// <param name="IsGrpc">OTLP/gRPC; else OTLP/HTTP with protobuf.</param>
/// <param name="Headers">Sent with every export.</param>
/// <param name="ServiceName">service.name.</param>
/// <param name="HasLogs">A log record of every exchange is exported too.</param>
/// <param name="Sample">Share of exchanges without a trace of their own that are traced, 0 to 1.</param>
internal sealed record OtlpSettings(Uri Endpoint, bool IsGrpc, IReadOnlyList<(string Name, Secret Value)> Headers, string ServiceName, bool HasLogs, double Sample)
{
    /// <summary>The endpoint as people write it.</summary>
    public string Name => Endpoint.GetLeftPart(UriPartial.Authority);
}
