using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>Why a target is refused. Made once: an attacker's requests allocate no sentences.</summary>
internal static class TargetRejections
{
    public static readonly Rejection Form = Target("The request target has a form that this method cannot have here. Send an absolute URL, a path that starts with a slash, or host:port for CONNECT.");
    public static readonly Rejection Scheme = Target("The scheme must be http or https.");
    public static readonly Rejection Userinfo = Target("The URL carries a user name or password. Send credentials in a header field.");
    public static readonly Rejection RawCharacter = Target("The path has a character that must not be in it unescaped: a control character, a space, a backslash, # or a non-ASCII byte. Percent-encode it.");
    public static readonly Rejection Triplet = Target("The path has a percent sign without two hexadecimal digits. Write a percent sign as %25.");
    public static readonly Rejection EncodedControl = Target("The path has an escaped control character or backslash, which servers read differently.");
    public static readonly Rejection Utf8 = Target("The escaped bytes of the path are not valid UTF-8.");
    public static readonly Rejection Root = Target("The path leaves the root through dot segments.");
    public static readonly Rejection DotSegment = Target("The path has a dot segment with parameters or next to an escaped slash, which servers read differently.");
    public static readonly Rejection Query = Target("The query has a control character, a space, # or a non-ASCII byte. Percent-encode it.");
    public static readonly Rejection Host = new("edge", "invalid_host", 400, "The host is not a valid name, IPv4 address or bracketed IPv6 address. Write international names in their xn-- form.");
    public static readonly Rejection Port = new("edge", "invalid_host", 400, "The port must be a number from 1 to 65535, and CONNECT must name one.");
    public static readonly Rejection Misdirected = new("edge", "misdirected_request", 421, "The Host field names another authority than this tunnel's CONNECT. Open a tunnel for each authority.");

    private static Rejection Target(string detail) => new("edge", "invalid_target", 400, detail);
}
