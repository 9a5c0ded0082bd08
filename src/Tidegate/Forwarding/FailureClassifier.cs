using Tidegate.Exchanges;

namespace Tidegate.Forwarding;

/// <summary>From an exception of the HTTP stack to the phase that broke and whether another attempt is safe.</summary>
internal static class FailureClassifier
{
    public static Failure Classify(Exception trouble, Attempt attempt, Exchange exchange)
    {
        if (attempt.RequestBodyFailure is { } bodyFailure)
        {
            return bodyFailure;
        }

        if (attempt.Token.IsCancellationRequested)
        {
            return attempt.CancellationFailure();
        }

        var kind = Kind(trouble);

        // Nothing was sent in the phases up to TLS, so doing it again is safe whatever the method.
        var nothingSent = kind == FailureKind.DnsFailed || kind == FailureKind.ConnectFailed || kind == FailureKind.ConnectTimeout || kind == FailureKind.TlsFailed;
        return new Failure(FailureSource.Upstream, kind, nothingSent, Detail(kind, exchange));
    }

    private static FailureKind Kind(Exception trouble)
    {
        for (var cause = trouble; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case ConnectException connect:
                    return connect.Kind;
                case TimeoutException:
                    return FailureKind.ConnectTimeout;
                case HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } named:
                    return Kind(named.HttpRequestError, named);
            }
        }

        return FailureKind.RequestFailed;
    }

    private static FailureKind Kind(HttpRequestError error, Exception from) => error switch
    {
        HttpRequestError.NameResolutionError => FailureKind.DnsFailed,
        HttpRequestError.ConnectionError => from.InnerException is { } inner && Kind(inner) is var deeper && deeper != FailureKind.RequestFailed ? deeper : FailureKind.ConnectFailed,
        HttpRequestError.SecureConnectionError or HttpRequestError.VersionNegotiationError => FailureKind.TlsFailed,
        HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded or HttpRequestError.HttpProtocolError => FailureKind.ResponseMalformed,
        _ => FailureKind.RequestFailed,
    };

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
