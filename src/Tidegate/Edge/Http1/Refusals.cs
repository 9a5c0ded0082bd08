using Tidegate.Exchanges;

namespace Tidegate.Edge.Http1;

/// <summary>What HTTP/1.1 framing is refused for. After each the connection closes: where the next request begins is no longer certain.</summary>
internal static class Refusals
{
    public static readonly Rejection BadRequestLine = Refuse("request_line_malformed", 400, "The request line must be METHOD SP TARGET SP HTTP/1.1.");
    public static readonly Rejection VersionNotSupported = Refuse("version_not_supported", 505, "This connection speaks HTTP/1.1 and HTTP/1.0.");
    public static readonly Rejection TargetTooLong = Refuse("target_too_long", 414, "The request target is too long.");
    public static readonly Rejection BadLineEnd = Refuse("line_end_malformed", 400, "Every line of a request head must end with CR LF.");
    public static readonly Rejection HeadTooLarge = Refuse("head_too_large", 431, "The request line and fields are too large together.");
    public static readonly Rejection HeadTimeout = Refuse("head_timeout", 408, "The request head took too long.");
    public static readonly Rejection HeadTruncated = Refuse("head_truncated", 400, "The connection ended within a request head.");
    public static readonly Rejection TooManyFields = Refuse("too_many_fields", 431, "The request has too many fields.");
    public static readonly Rejection FoldedField = Refuse("field_folded", 400, "A field must stand on one line.");
    public static readonly Rejection BadFieldName = Refuse("field_name_malformed", 400, "A field name must be a token directly followed by a colon.");
    public static readonly Rejection BadFieldValue = Refuse("field_value_malformed", 400, "A field value contains a control character.");
    public static readonly Rejection LengthAndCoding = Refuse("length_and_coding", 400, "Send Content-Length or Transfer-Encoding, not both.");
    public static readonly Rejection BadTransferCoding = Refuse("transfer_coding_refused", 400, "The only transfer coding accepted is a single 'chunked', and only in HTTP/1.1.");
    public static readonly Rejection BadContentLength = Refuse("content_length_malformed", 400, "Send one Content-Length of decimal digits.");
    public static readonly Rejection BadHost = Refuse("host_malformed", 400, "Send exactly one Host field.");
    public static readonly Rejection HostConflict = Refuse("host_conflict", 400, "The Host field and the request target name different hosts.");
    public static readonly Rejection ConnectWithContent = Refuse("connect_with_content", 400, "A CONNECT has no content.");
    public static readonly Rejection UnknownExpectation = Refuse("expectation_unknown", 417, "The only expectation known is 100-continue.");
    public static readonly Rejection ConnectOnIngress = Refuse("connect_not_offered", 405, "This listener does not open tunnels.");

    private static Rejection Refuse(string code, int status, string detail) => new("edge", code, status, detail) { ClosesConnection = true };
}
