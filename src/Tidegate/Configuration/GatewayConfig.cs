using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Policies;
using Tidegate.Policies.Credential;

namespace Tidegate.Configuration;

/// <summary>The whole file, as the user wrote it.</summary>
internal sealed record GatewayConfig
{
    [Doc("Further files whose apis, consumers and sections are added to this one. Paths are relative to this file.")]
    public IReadOnlyList<string> Include { get; init; } = [];

    [Doc("Where the gateway listens.")]
    public ListenersConfig Listeners { get; init; } = new();

    [Doc("What holds for every API of a direction unless the API says otherwise.")]
    public DefaultsConfig Defaults { get; init; } = new();

    [Doc("Who may call, and how they are known.")]
    public IReadOnlyList<ConsumerConfig> Consumers { get; init; } = [];

    [Doc("The APIs on both edges.")]
    public IReadOnlyList<ApiConfig> Apis { get; init; } = [];

    [Doc("Files, or directories of .yaml files, that describe providers beside those that the gateway knows. Paths are relative to this file.")]
    public IReadOnlyList<string> Providers { get; init; } = [];

    [Doc("What is kept of every exchange and where it goes.")]
    public RecordingConfig Recording { get; init; } = new();

    [Doc("The store that every API's cache shares.")]
    public CacheStoreConfig Cache { get; init; } = new();

    [Doc("The one directory that the gateway writes to. Default: $STATE_DIRECTORY (systemd sets it), else .tidegate beside the configuration."), Path, NeedsRestart]
    public string? StateDirectory { get; init; }
}

internal sealed record ListenersConfig
{
    [Doc("For our services' calls to other people's APIs: HTTP proxy, CONNECT and base-URL calls.")]
    public EgressListenerConfig? Egress { get; init; }

    [Doc("For other people's calls to our APIs.")]
    public IngressListenerConfig? Ingress { get; init; }

    [Doc("Metrics, health and the admin API. Absent: 127.0.0.1:9900 without a token.")]
    public AdminListenerConfig? Admin { get; init; }
}

internal sealed record EgressListenerConfig
{
    [Doc("Address and port, for example 127.0.0.1:8080."), NeedsRestart]
    public required string Address { get; init; }

    [Doc("Open HTTPS tunnels with the gateway's own CA, so that policies see what is inside. Default: false, because clients must trust the CA first (tidegate ca).")]
    public bool Intercept { get; init; }

    [Doc("The CA that signs certificates for intercepted hosts. Default: the one that tidegate ca created in state_directory.")]
    public CertificateConfig? Authority { get; init; }

    [Doc("What one client may take from this listener.")]
    public LimitsConfig Limits { get; init; } = new();
}

internal sealed record IngressListenerConfig
{
    [Doc("Address and port, for example 0.0.0.0:8443."), NeedsRestart]
    public required string Address { get; init; }

    [Doc("One certificate, or several that are chosen by the client's SNI. Absent means cleartext.")]
    public IReadOnlyList<CertificateConfig> Tls { get; init; } = [];

    [Doc("HTTP/3 on the same port over UDP, with TLS only: auto (where this machine has libmsquic), on (without it the gateway does not start) or off. Default: auto, because clients fall back to TCP where it is missing. Read at start."), NeedsRestart]
    public Http3Mode Http3 { get; init; }

    [Doc("The UDP port that Alt-Svc tells clients to use for HTTP/3, when they reach it by another than the one it listens on (a port mapping). Default: the port of the address."), NeedsRestart]
    public int? Http3AdvertisedPort { get; init; }

    [Doc("Networks whose X-Forwarded-* and Forwarded fields are believed, for example 10.0.0.0/8. Default: none, because anybody can write them.")]
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    [Doc("What one client may take from this listener.")]
    public LimitsConfig Limits { get; init; } = new();
}

internal sealed record AdminListenerConfig
{
    /// <summary>Where it is when nobody says otherwise.</summary>
    public const string DefaultAddress = "127.0.0.1:9900";

    [Doc("Address and port, or off. Off loopback a token or sign_in is needed. Default: 127.0.0.1:9900, so that nobody else can reach it."), NeedsRestart]
    public string Address { get; init; } = DefaultAddress;

    [Doc("For programs: they send it as Authorization: Bearer, and may do everything; not needed for /livez and /readyz. People can sign in with it while sign_in names nobody else.")]
    public Secret? Token { get; init; }

    [Doc("Who may sign in to the dashboard, and what they may see and do there. Absent: with the token, or on loopback without one everybody who reaches the address.")]
    public SignInConfig? SignIn { get; init; }
}

internal sealed record CertificateConfig
{
    [Doc("PEM file: the certificate, then its intermediates. Read again when it changes."), Path]
    public required string Certificate { get; init; }

    [Doc("PEM file: the unencrypted private key."), Path]
    public required string Key { get; init; }
}

internal sealed record LimitsConfig
{
    [Doc("Request line and fields together. Default: 32KB."), Size]
    public long? Head { get; init; }

    [Doc("The request target alone. Default: 8KB, what RFC 9112 asks every server to support."), Size]
    public long? Target { get; init; }

    [Doc("Fields in one request. Default: 100.")]
    public int? HeaderCount { get; init; }

    [Doc("From the first byte of a request's head to its end. Default: 15s.")]
    public TimeSpan? HeaderTimeout { get; init; }

    [Doc("All trailer fields of one request together. Default: 8KB."), Size]
    public long? Trailers { get; init; }

    [Doc("Bytes per second at which request content must arrive on average while the gateway waits for it, and an answer must be read over HTTP/2; 0 is off. Default: 240, slower than any working link."), Size]
    public long? BodyRate { get; init; }

    [Doc("How long content may be slower than body_rate before that counts. Default: 5s.")]
    public TimeSpan? BodyGrace { get; init; }

    [Doc("The longest pause in request content, and the longest time that a client may not read its answer. Default: 60s.")]
    public TimeSpan? StallTimeout { get; init; }

    [Doc("Unread request content that is read and thrown away so that the connection, or at least the answer, is not lost. Default: 64KB."), Size]
    public long? Drain { get; init; }

    [Doc("How long that may take. Default: 500ms.")]
    public TimeSpan? DrainTimeout { get; init; }

    [Doc("How long a connection may wait for its next request. Default: 75s.")]
    public TimeSpan? IdleTimeout { get; init; }

    [Doc("Open connections in all. Default: 10000.")]
    public int? Connections { get; init; }

    [Doc("Open connections of one client address, of IPv6 its /64. Default: 1000.")]
    public int? ConnectionsPerAddress { get; init; }

    [Doc("Concurrent requests of one HTTP/2 or HTTP/3 connection. Default: 100.")]
    public int? StreamsPerConnection { get; init; }
}

internal sealed record DefaultsConfig
{
    [Doc("For calls to other people's APIs.")]
    public EgressDefaultsConfig Egress { get; init; } = new();

    [Doc("For our own APIs.")]
    public IngressDefaultsConfig Ingress { get; init; } = new();
}

/// <summary>What happens to egress calls to a host that no API lists.</summary>
internal enum UnlistedHosts
{
    Deny,
    Observe,
    Allow,
}

internal sealed record EgressDefaultsConfig
{
    [Doc("Calls to hosts that no API lists: deny, observe (let through, and record that it would have been denied) or allow. Default: deny, so that nothing leaves unseen.")]
    public UnlistedHosts UnlistedHosts { get; init; }

    [Doc("How long each phase may take.")]
    public TimeoutsConfig Timeouts { get; init; } = new();
}

internal sealed record IngressDefaultsConfig
{
    [Doc("How long each phase may take.")]
    public TimeoutsConfig Timeouts { get; init; } = new();
}

internal sealed record TimeoutsConfig
{
    [Doc("Name, TCP and TLS together. Default: 5s, because a lost SYN is sent again after 1 and 3 s.")]
    public TimeSpan? Connect { get; init; }

    [Doc("From the request's last byte to the complete head of the answer. Default: 60s, because LLMs think.")]
    public TimeSpan? ResponseHeaders { get; init; }

    [Doc("Silence within a body or tunnel. Default: 5m, because event streams send a sign of life each 15 to 60 s.")]
    public TimeSpan? Idle { get; init; }

    [Doc("The whole exchange, upgrades and tunnels aside. Default: none, because streams have no length.")]
    public TimeSpan? Total { get; init; }
}

internal sealed record ConsumerConfig
{
    [Doc("Unique. Stands in records and metrics.")]
    public required string Name { get; init; }

    [Doc("The tenant that the calls are booked on.")]
    public string Tenant { get; init; } = "";

    [Doc("For example production or staging.")]
    public string Environment { get; init; } = "";

    [Doc("Any one of them identifies the consumer.")]
    public required IReadOnlyList<CredentialConfig> Credentials { get; init; }
}

internal sealed record CredentialConfig
{
    [Doc("A reference such as ${secret:billing_key}. Kept as a hash once loaded.")]
    public required Secret ApiKey { get; init; }
}

internal sealed record ApiConfig
{
    [Doc("Unique. Stands in records and metrics.")]
    public required string Name { get; init; }

    [Doc("egress: somebody else's API that we call. ingress: an API of ours.")]
    public required Direction Direction { get; init; }

    [Doc("Exact names, or *.example.com for every name below. Letters, digits, hyphens and underscores; international names as they are or as xn--. Ingress without hosts answers to every name.")]
    public IReadOnlyList<string> Hosts { get; init; } = [];

    [Doc("Egress: path on the gateway's own address that leads to the API's first host, for clients without proxy settings.")]
    public string? BasePath { get; init; }

    [Doc("Only paths at or below this one, on whole segments. Default: /.")]
    public string Path { get; init; } = "/";

    [Doc("Where requests go. Egress without it: wherever the request points.")]
    public UpstreamConfig? Upstream { get; init; }

    [Doc("How callers are known. Listed means needed; absent, callers may be anonymous.")]
    public IReadOnlyList<AuthenticateConfig> Authenticate { get; init; } = [];

    [Doc("Who may call what.")]
    public AccessConfig? Access { get; init; }

    [Doc("Put onto every request, so that callers never hold the provider's key.")]
    public CredentialInjectionConfig? Credential { get; init; }

    [Doc("Egress: whose API this is, for its limits, and for what its answers say of them. Default: the provider that lists one of the hosts; none turns that off.")]
    public string? Provider { get; init; }

    [Doc("Egress: on (what the provider's answers say of limits is held to, beside the written limits), observe (only recorded) or off. Default: on for an API whose provider is known or that has limits, because whoever counts wants to count right; else off, so that plain forwarding stays plain.")]
    public LearnMode? Learn { get; init; }

    [Doc("How much may pass, of all endpoints together. Default: what the provider publishes, where it is known.")]
    public IReadOnlyList<LimitConfig> Limits { get; init; } = [];

    [Doc("How exchanges wait where a limit says when_exceeded: queue.")]
    public QueueConfig? Queue { get; init; }

    [Doc("When another attempt is made. Default: never.")]
    public RetryConfig? Retry { get; init; }

    [Doc("When the upstream is left alone because it is down. Default: never.")]
    public CircuitBreakerConfig? CircuitBreaker { get; init; }

    [Doc("Sends an upstream that refuses calls only somewhat more of them than it accepts; {} is enough. Default: everything is sent.")]
    public AdaptiveThrottleConfig? AdaptiveThrottle { get; init; }

    [Doc("Seeks how many calls the upstream can work on at once, and keeps no more in flight; {} is enough. Default: as many as come.")]
    public AdaptiveConcurrencyConfig? AdaptiveConcurrency { get; init; }

    [Doc("When GET, HEAD and OPTIONS are sent a second time because the first is slow. Default: never.")]
    public HedgeConfig? Hedge { get; init; }

    [Doc("A fixed answer where there would be none. Absent: callers get the failure or refusal.")]
    public FallbackConfig? Fallback { get; init; }

    [Doc("Whether and how answers are stored and used again. Absent: nothing is.")]
    public CacheConfig? Cache { get; init; }

    [Doc("What its calls cost. Several with from: the latest that has begun holds. Absent: unknown.")]
    public IReadOnlyList<PriceConfig> Cost { get; init; } = [];

    [Doc("What a CONNECT to these hosts does: verified (carried, when its TLS name is the host), any, intercept or refused. Default: intercept where the listener does; else refused when the API has rules about content, verified when not.")]
    public TunnelMode? Tunnel { get; init; }

    [Doc("How long each phase may take.")]
    public TimeoutsConfig Timeouts { get; init; } = new();

    [Doc("The largest request content. Default: none, because content is streamed and never held."), Size]
    public long? MaxRequestBody { get; init; }

    [Doc("Ingress: let %2F pass in paths. Default: false, because service and gateway could disagree about segments.")]
    public bool AllowEncodedSlash { get; init; }

    [Doc("Narrower rules within the API; everything else is inherited.")]
    public IReadOnlyList<EndpointConfig> Endpoints { get; init; } = [];
}

internal sealed record EndpointConfig
{
    [Doc("Unique within the API. Default: the methods and the path.")]
    public string? Name { get; init; }

    [Doc("Which requests.")]
    public required MatchConfig Match { get; init; }

    [Doc("Who may call it; replaces the API's.")]
    public AccessConfig? Access { get; init; }

    [Doc("When another attempt is made; replaces the API's.")]
    public RetryConfig? Retry { get; init; }

    [Doc("When the upstream is left alone; the endpoint then has results of its own.")]
    public CircuitBreakerConfig? CircuitBreaker { get; init; }

    [Doc("How much is sent to an upstream that refuses calls; the endpoint then counts on its own.")]
    public AdaptiveThrottleConfig? AdaptiveThrottle { get; init; }

    [Doc("How many calls are in flight; the endpoint then seeks a limit of its own.")]
    public AdaptiveConcurrencyConfig? AdaptiveConcurrency { get; init; }

    [Doc("When slow requests are sent a second time; replaces the API's.")]
    public HedgeConfig? Hedge { get; init; }

    [Doc("A fixed answer where there would be none; replaces the API's.")]
    public FallbackConfig? Fallback { get; init; }

    [Doc("Whether and how answers are stored here; replaces the API's.")]
    public CacheConfig? Cache { get; init; }

    [Doc("Ingress: only webhooks that their provider has signed pass, and purge what they say is no longer true.")]
    public WebhookConfig? Webhook { get; init; }

    [Doc("How much may pass here; the API's limits hold as well.")]
    public IReadOnlyList<LimitConfig> Limits { get; init; } = [];

    [Doc("What its calls cost; replaces the API's.")]
    public IReadOnlyList<PriceConfig> Cost { get; init; } = [];

    [Doc("How long each phase may take.")]
    public TimeoutsConfig Timeouts { get; init; } = new();
}

internal sealed record MatchConfig
{
    [Doc("Below the API's path: literal segments in canonical form, * or {name} for a whole one, a final ** for the rest.")]
    public required string Path { get; init; }

    [Doc("Default: every method.")]
    public IReadOnlyList<string> Methods { get; init; } = [];
}

internal sealed record UpstreamConfig
{
    [Doc("Scheme, host and port of each instance, for example http://10.0.0.11:5000; as { url, region } where they are in several regions.")]
    public required IReadOnlyList<DestinationConfig> Destinations { get; init; }

    [Doc("How one is chosen: round_robin (each in turn) or ordered (the first that answers; with retry, a failed call goes to the next). Default: round_robin.")]
    public Balance Balance { get; init; }

    [Doc("When one of several destinations is left out. With one destination nothing is.")]
    public EjectionConfig Ejection { get; init; } = new();

    [Doc("auto (ALPN over TLS; HTTP/1.1 over cleartext, HTTP/2 for gRPC), http1, http2 or http3 (over UDP, to https destinations only; without libmsquic on this machine the gateway does not start). Default: auto, which never becomes HTTP/3.")]
    public UpstreamProtocolConfig Protocol { get; init; }

    [Doc("How the destinations' certificates are judged.")]
    public UpstreamTlsConfig Tls { get; init; } = new();

    [Doc("Host field: preserve (the name that the caller used) or rewrite (the destination's). Default: preserve.")]
    public UpstreamHostConfig Host { get; init; }

    [Doc("Open connections per destination; with http3 one, whatever the number. Default: none.")]
    public int? MaxConnections { get; init; }
}

[ShortForm("url")]
internal sealed record DestinationConfig
{
    [Doc("Scheme, host and port, for example https://eu.api.example.com.")]
    public required string Url { get; init; }

    [Doc("Where it is, for example eu-west. Stands in records and metrics.")]
    public string Region { get; init; } = "";

    [Doc("Which account at the provider it is: what is learned of limits holds for destinations of the same account together. Default: on egress with ordered each its own, else all one.")]
    public string Account { get; init; } = "";
}

internal sealed record EjectionConfig
{
    [Doc("Failures in a row (no answer, 502, 503, 504) after which it is. Default: 5.")]
    public int? Failures { get; init; }

    [Doc("The share of failures within the window from which it is; 100% is only when every attempt fails. Default: 50%.")]
    public double? FailureRatio { get; init; }

    [Doc("Attempts within the window before their share means anything. Default: 20.")]
    public int? Minimum { get; init; }

    [Doc("How long attempts count for the share. Default: 30s.")]
    public TimeSpan? Window { get; init; }

    [Doc("How long the first time; each further time in a row longer, up to five times that. Then one attempt at a time finds out whether it is back. Default: 10s.")]
    public TimeSpan? For { get; init; }

    [Doc("enforce or observe: every destination keeps its turns, and the record says where one would have been left out. Default: enforce.")]
    public PolicyMode Mode { get; init; }
}

internal enum UpstreamProtocolConfig
{
    Auto,
    Http1,
    Http2,
    Http3,
}

internal enum UpstreamHostConfig
{
    Preserve,
    Rewrite,
}

internal sealed record UpstreamTlsConfig
{
    [Doc("Default: true. False accepts any certificate: for development only.")]
    public bool Verify { get; init; } = true;

    [Doc("PEM file of roots to trust instead of the system's."), Path]
    public string? Authority { get; init; }

    [Doc("SNI and certificate name. Default: the host that the request names.")]
    public string? ServerName { get; init; }
}

[BareWord]
internal sealed record AuthenticateConfig
{
    [Doc("By API key.")]
    public ApiKeyAuthenticateConfig? ApiKey { get; init; }

    [Doc("Whether a caller without a credential is refused. Default: true.")]
    public bool Required { get; init; } = true;

    [Doc("enforce or observe. Default: enforce.")]
    public PolicyMode Mode { get; init; }
}

internal sealed record ApiKeyAuthenticateConfig
{
    [Doc("The field that carries the key; on the proxy it is always Proxy-Authorization. Default: X-Api-Key.")]
    public string Header { get; init; } = "X-Api-Key";
}

internal sealed record AccessConfig
{
    [Doc("Names of consumers. Default: everybody.")]
    public IReadOnlyList<string> Consumers { get; init; } = [];

    [Doc("Default: every method.")]
    public IReadOnlyList<string> Methods { get; init; } = [];

    [Doc("enforce or observe. Default: enforce.")]
    public PolicyMode Mode { get; init; }
}

internal sealed record CredentialInjectionConfig
{
    [Doc("The field's name, for example Authorization. What the caller sent in it is replaced.")]
    public required string Header { get; init; }

    [Doc("The field's value, for example \"Bearer ${secret:stripe}\". Either this or keys.")]
    public Secret? Value { get; init; }

    [Doc("Several keys of one account, or of accounts that see the same. Each has its own learned limits; one that is refused is set aside, and with retry the call goes on with another.")]
    public IReadOnlyList<PooledKeyConfig> Keys { get; init; } = [];

    [Doc("How one of several keys is chosen: round_robin (each in turn, by weight) or ordered (the first that is taken). Default: round_robin.")]
    public KeyChoice? Balance { get; init; }

    [Doc("How long a key is left alone after 401, 402, or an answer that means billing or a used-up quota and gives no time; each further time in a row twice as long, up to sixteen times. Default: 1m.")]
    public TimeSpan? SetAside { get; init; }

    [Doc("For keys. enforce or observe: each call carries the key whose turn it is, or the first of ordered ones, whatever is known of it; what is known stands in metrics, and the record says when another key would have been sent. Default: enforce.")]
    public PolicyMode? Mode { get; init; }
}

[ShortForm("value")]
internal sealed record PooledKeyConfig
{
    [Doc("Unique within the API. Stands in records and metrics. Default: its place in the list, from 1.")]
    public string? Name { get; init; }

    [Doc("The field's value, for example \"Bearer ${secret:stripe_2}\".")]
    public required Secret Value { get; init; }

    [Doc("Its part of the turns, 1 to 100. Default: 1.")]
    public int? Weight { get; init; }
}

internal sealed record RecordingConfig
{
    [Doc("One JSON line per exchange.")]
    public AccessLogConfig AccessLog { get; init; } = new();

    [Doc("What is counted, for /metrics and OTLP.")]
    public MetricsConfig Metrics { get; init; } = new();

    [Doc("Exchanges that the admin API can show, and as many again of those that were refused or failed. Default: 1000, some 2 MB, because a person who looks has just seen the trouble."), NeedsRestart]
    public int? RecentExchanges { get; init; }

    [Doc("Every exchange, kept to be looked back at."), NeedsRestart]
    public StoreConfig Store { get; init; } = new();

    [Doc("Headers and content of chosen exchanges, secrets masked, in memory. Absent: off.")]
    public CaptureConfig? Capture { get; init; }

    [Doc("Metrics and traces to an OpenTelemetry collector. Absent: off."), NeedsRestart]
    public OtlpConfig? Otlp { get; init; }
}

internal sealed record StoreConfig
{
    [Doc("A directory, or off. Default: exchanges in state_directory."), Path("off")]
    public string? Path { get; init; }

    [Doc("A database for several gateways together instead of a directory, such as postgresql://tidegate@db.internal/tidegate, best as ${secret:name}. Default: none.")]
    public Secret? Postgresql { get; init; }

    [Doc("What exchanges may take on the disk; the oldest go first. Default: 2GB, about sixty million."), Size]
    public long? MaxSize { get; init; }

    [Doc("How long exchanges are kept. Sums of them are kept longer: minutes for 8 days, hours for 400. Default: 30d.")]
    public TimeSpan? MaxAge { get; init; }
}

internal sealed record MetricsConfig
{
    [Doc("Different label sets of the exchange counters; what comes later is counted as other. Default: 2000, which is twenty APIs with ten consumers and ten kinds of result each."), NeedsRestart]
    public int? MaxSeries { get; init; }
}

internal sealed record AccessLogConfig
{
    [Doc("A file, stdout, or off. Default: stdout."), Path("stdout", "off"), NeedsRestart]
    public string Path { get; init; } = "stdout";

    [Doc("Keep the values of query parameters. Default: false, because keys and personal data travel there."), NeedsRestart]
    public bool QueryValues { get; init; }
}

internal sealed record OtlpConfig
{
    [Doc("Scheme, host and port of the collector, for example http://127.0.0.1:4317.")]
    public required string Endpoint { get; init; }

    [Doc("grpc or http_protobuf. Default: http_protobuf on port 4318, which is its own, else grpc.")]
    public OtlpProtocolConfig? Protocol { get; init; }

    [Doc("Sent with every export, for collectors that ask for a key.")]
    public IReadOnlyList<OtlpHeaderConfig> Headers { get; init; } = [];

    [Doc("service.name of everything exported. Default: tidegate.")]
    public string ServiceName { get; init; } = "tidegate";

    [Doc("Export a log record of every exchange, with the attributes of its span and in its trace. Default: false, because the access log has them and a collector pays for each.")]
    public bool Logs { get; init; }

    [Doc("Share of exchanges without a trace of their own that are traced, for example 10%. Default: 100%.")]
    public double Sample { get; init; } = 1;
}

internal enum OtlpProtocolConfig
{
    Grpc,
    HttpProtobuf,
}

internal sealed record OtlpHeaderConfig
{
    [Doc("The field's name, for example X-Api-Key.")]
    public required string Name { get; init; }

    [Doc("The field's value, for example ${secret:collector}.")]
    public required Secret Value { get; init; }
}
