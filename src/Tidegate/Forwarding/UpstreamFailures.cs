using Tidegate.Exchanges;

namespace Tidegate.Forwarding;

/// <summary>Failures of an attempt in words, the same for both clients.</summary>
internal static class UpstreamFailures
{
    public static readonly Failure ClientGone = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away before the answer was complete.");

    public static readonly Failure Truncated = new(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "The upstream closed before its answer was complete.");

    public static readonly Failure Overlong = new(FailureSource.Upstream, FailureKind.ResponseMalformed, Retryable: false, "The upstream sent more than it had announced.");

    /// <summary>The upstream said so itself (RFC 9114 4.1.1 and 5.2), so doing it again is safe whatever the method.</summary>
    public static readonly Failure NotProcessed = new(FailureSource.Upstream, FailureKind.RequestFailed, Retryable: true, "The upstream turned the request away before it did anything.");

    /// <summary>Trouble on the way to an answer's head. Nothing was sent in the phases up to TLS, so doing it again is safe whatever the method.</summary>
    public static Failure Of(FailureKind kind, Exchange exchange)
    {
        var nothingSent = kind == FailureKind.DnsFailed || kind == FailureKind.ConnectFailed || kind == FailureKind.ConnectTimeout || kind == FailureKind.TlsFailed;
        return new Failure(FailureSource.Upstream, kind, nothingSent, Detail(kind, exchange));
    }

    /// <summary>A phase's limit passed.</summary>
    public static Failure TooSlow(FailureKind phase) =>
        new(FailureSource.Upstream, phase, Retryable: phase == FailureKind.ConnectTimeout, $"The upstream was too slow: {phase.Code.Replace('_', ' ')}.");

    private static string Detail(FailureKind kind, Exchange exchange) => kind.Code switch
    {
        "dns_failed" => $"The name {exchange.Target.Host} could not be resolved.",
        "connect_failed" => "The upstream refused the connection or could not be reached.",
        "connect_timeout" => "No connection to the upstream within the connect timeout.",
        "tls_failed" => "The TLS handshake with the upstream failed; its certificate may not be trusted or not be for this name.",
        "response_malformed" => "The upstream's answer is not valid HTTP.",
        "self_connection" => "The target is this gateway itself. Point the API's upstream at the service.",
        _ => "The connection to the upstream broke before its answer began.",
    };
}
