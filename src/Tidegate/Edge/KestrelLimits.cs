using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Tidegate.Edge;

/// <summary>A listener's limits in the words of the server that speaks HTTP/2 and HTTP/3 for us.</summary>
internal static class KestrelLimits
{
    // Kestrel looks once a second, and takes no grace that is shorter.
    private static readonly TimeSpan ShortestGrace = TimeSpan.FromSeconds(1.5);

    public static void Apply(KestrelServerOptions kestrel, EdgeLimits limits)
    {
        kestrel.AddServerHeader = false;

        // Bytes stay what they are, in both directions.
        kestrel.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;

        // Inside a tunnel the outer connection's scheme is not the requests'. Nobody reads Kestrel's: the target is canonicalised from the connection.
        kestrel.AllowAlternateSchemes = true;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MaxRequestHeaderCount = limits.MaxHeaderCount;
        kestrel.Limits.MaxRequestHeadersTotalSize = limits.MaxHeadBytes;
        kestrel.Limits.MaxRequestLineSize = Math.Min(limits.MaxTargetBytes + 256, limits.MaxHeadBytes);
        kestrel.Limits.RequestHeadersTimeout = limits.HeaderTimeout;
        kestrel.Limits.KeepAliveTimeout = limits.IdleTimeout;
        kestrel.Limits.MinRequestBodyDataRate = Rate(limits.MinBodyBytesPerSecond, limits.BodyGrace);
        kestrel.Limits.MinResponseDataRate = Rate(limits.MinBodyBytesPerSecond, limits.StallTimeout);
        kestrel.Limits.Http2.MaxStreamsPerConnection = limits.MaxStreamsPerConnection;
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = limits.MaxHeadBytes;
        kestrel.Limits.Http3.MaxRequestHeaderFieldSize = limits.MaxHeadBytes;
    }

    private static MinDataRate? Rate(int bytesPerSecond, TimeSpan grace) =>
        bytesPerSecond == 0 ? null : new MinDataRate(bytesPerSecond, grace > ShortestGrace ? grace : ShortestGrace);
}
