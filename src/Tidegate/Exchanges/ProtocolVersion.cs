namespace Tidegate.Exchanges;

/// <summary>The HTTP version spoken on one side of the gateway.</summary>
public enum ProtocolVersion : byte
{
    /// <summary>Not known yet, or no HTTP was spoken.</summary>
    None,

    /// <summary>HTTP/1.0.</summary>
    Http10,

    /// <summary>HTTP/1.1.</summary>
    Http11,

    /// <summary>HTTP/2.</summary>
    Http2,

    /// <summary>HTTP/3.</summary>
    Http3,
}
