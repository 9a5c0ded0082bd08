using System.Net.Quic;
using System.Runtime.Versioning;
using System.Security.Authentication;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>What the exceptions of QUIC and HTTP/3 mean.</summary>
[SupportedOSPlatform("linux"), SupportedOSPlatform("macos"), SupportedOSPlatform("windows")]
internal static class Http3Failures
{
    // RFC 9114 8.1 and RFC 9204 6, and RFC 9001 4.8: a TLS alert is this plus its number.
    private const long NoError = 0x100;
    private const long GeneralProtocolError = 0x101;
    private const long InternalError = 0x102;
    private const long RequestRejected = 0x10B;
    private const long MessageError = 0x10E;
    private const long QpackDecompressionFailed = 0x200;
    private const long QpackDecoderStreamError = 0x202;
    private const long CryptoError = 0x100;
    private const long CryptoErrorEnd = 0x1FF;

    /// <summary>The phase that broke before anything was written.</summary>
    public static FailureKind BeforeSent(Exception trouble)
    {
        for (var cause = trouble; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case ConnectException known:
                    return known.Kind;
                case AuthenticationException or QuicException { TransportErrorCode: >= CryptoError and <= CryptoErrorEnd }:
                    return FailureKind.TlsFailed;
                case TimeoutException or QuicException { QuicError: QuicError.ConnectionTimeout or QuicError.ConnectionIdle }:
                    return FailureKind.ConnectTimeout;
                default:
                    break;
            }
        }

        return FailureKind.ConnectFailed;
    }

    /// <summary>What broke between the request and its answer's head; null when it was not HTTP/3.</summary>
    public static Failure? AfterSent(Exception trouble, Exchange exchange)
    {
        FailureKind? kind = null;
        for (var cause = trouble; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case QuicException { QuicError: QuicError.StreamAborted, ApplicationErrorCode: RequestRejected }:
                    return UpstreamFailures.NotProcessed;
                case QuicException:
                    // Said by the other side, or by nobody.
                    return UpstreamFailures.Of(FailureKind.RequestFailed, exchange);
                case HttpProtocolException { ErrorCode: >= NoError } protocol:
                    kind = IsMalformed(protocol.ErrorCode) ? FailureKind.ResponseMalformed : FailureKind.RequestFailed;
                    break;
                default:
                    break;
            }
        }

        return kind is null ? null : UpstreamFailures.Of(kind, exchange);
    }

    /// <summary>Codes that tell of broken frames, fields and messages; the others are ends that somebody wanted.</summary>
    private static bool IsMalformed(long code) =>
        code is GeneralProtocolError or (> InternalError and < RequestRejected) or MessageError or (>= QpackDecompressionFailed and <= QpackDecoderStreamError);
}
