using Tidegate.Exchanges;
using Tidegate.Forwarding.Http1;

namespace Tidegate.Forwarding;

/// <summary>Sends one exchange's request: our own HTTP/1.1, or the framework's stack, which also speaks HTTP/2.</summary>
internal interface IUpstreamClient
{
    /// <summary>
    /// One attempt. After it the answer's head, with a body or stream to read, or a failure stands on the exchange. Never throws for expected trouble.
    /// </summary>
    /// <param name="exchange">Whose request.</param>
    /// <param name="upstream">Where to, and how.</param>
    /// <param name="pool">The destination, and the connections to it.</param>
    /// <param name="now">The time, as a timestamp.</param>
    ValueTask ForwardAsync(Exchange exchange, Upstream upstream, ConnectionPool pool, long now);
}
