using Tidegate.Exchanges;

namespace Tidegate.Forwarding;

/// <summary>Sends an exchange's request to an upstream and leaves the answer's head, body or stream, or a failure, on the exchange.</summary>
public sealed class Forwarder : IAsyncDisposable
{
    /// <summary>One attempt. Never throws for expected trouble: that becomes <see cref="Exchange.Failure"/>.</summary>
    public ValueTask ForwardAsync(Exchange exchange, Upstream upstream) => throw new NotSupportedException(upstream.Name + exchange.Id);

    /// <summary>Opens a TCP connection to the target for a tunnel; leaves it as <see cref="Exchange.UpstreamStream"/>.</summary>
    public ValueTask ConnectTunnelAsync(Exchange exchange, Upstream upstream) => throw new NotSupportedException(upstream.Name + exchange.Id);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}
