using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;

namespace Tidegate.Forwarding.SocketsHttp;

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

        if (attempt.IsTurnedAway)
        {
            return UpstreamFailures.NotProcessed;
        }

        return (Http3Sender.IsSupported ? Http3Failures.AfterSent(trouble, exchange) : null) ?? UpstreamFailures.Of(Kind(trouble), exchange);
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
}
