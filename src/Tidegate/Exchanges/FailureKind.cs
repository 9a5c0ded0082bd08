namespace Tidegate.Exchanges;

/// <summary>What broke, by phase. The code is stable: it stands in problem replies, records and metric labels.</summary>
/// <param name="Code">In snake_case. Listed in docs/reference/problems.md.</param>
/// <param name="Status">What the client is told while the response has not started.</param>
public sealed record FailureKind(string Code, int Status)
{
    // Upstream, in the order of an attempt.
    public static readonly FailureKind DnsFailed = new("dns_failed", 502);
    public static readonly FailureKind ConnectFailed = new("connect_failed", 502);
    public static readonly FailureKind ConnectTimeout = new("connect_timeout", 504);
    public static readonly FailureKind TlsFailed = new("tls_failed", 502);
    public static readonly FailureKind RequestFailed = new("request_failed", 502);
    public static readonly FailureKind ResponseHeadersTimeout = new("response_headers_timeout", 504);
    public static readonly FailureKind ResponseMalformed = new("response_malformed", 502);
    public static readonly FailureKind ResponseTruncated = new("response_truncated", 502);
    public static readonly FailureKind IdleTimeout = new("idle_timeout", 504);
    public static readonly FailureKind TotalTimeout = new("total_timeout", 504);
    public static readonly FailureKind UnwantedStatus = new("unwanted_status", 502);
    public static readonly FailureKind SelfConnection = new("self_connection", 508);

    // Client.
    public static readonly FailureKind ClientAborted = new("client_aborted", 499);
    public static readonly FailureKind ClientBodyMalformed = new("client_body_malformed", 400);
    public static readonly FailureKind ClientBodyTimeout = new("client_body_timeout", 408);
    public static readonly FailureKind ClientBodyTooLarge = new("client_body_too_large", 413);
    public static readonly FailureKind ClientStalled = new("client_stalled", 408);

    // Tunnels: what the client sent first is not what CONNECT announced, or did not come.
    public static readonly FailureKind TunnelNotTls = new("tunnel_not_tls", 403);
    public static readonly FailureKind TunnelSilent = new("tunnel_silent", 408);
    public static readonly FailureKind TunnelNameMismatch = new("tunnel_name_mismatch", 403);
    public static readonly FailureKind InterceptionHandshakeFailed = new("interception_handshake_failed", 502);

    // Gateway.
    public static readonly FailureKind GatewayError = new("gateway_error", 500);
    public static readonly FailureKind Draining = new("draining", 503);
}
