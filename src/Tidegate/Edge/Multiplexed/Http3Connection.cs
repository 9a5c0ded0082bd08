using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Multiplexed;

/// <summary>
/// A QUIC connection whose streams know their client (unlike those of HTTP/2, they do not see their connection's features), and which ends when it is drained.
/// </summary>
internal sealed class Http3Connection(MultiplexedConnectionContext connection, ClientConnection client, EdgeServices services) : MultiplexedConnectionContext
{
    // A drain waits at most this much longer than the last exchange: little beside a round trip, and ten looks a second cost nothing.
    private static readonly TimeSpan DrainLook = TimeSpan.FromMilliseconds(100);

    public override string ConnectionId { get => connection.ConnectionId; set => connection.ConnectionId = value; }

    public override IFeatureCollection Features => connection.Features;

    public override IDictionary<object, object?> Items { get => connection.Items; set => connection.Items = value; }

    public override EndPoint? LocalEndPoint { get => connection.LocalEndPoint; set => connection.LocalEndPoint = value; }

    public override EndPoint? RemoteEndPoint { get => connection.RemoteEndPoint; set => connection.RemoteEndPoint = value; }

    public override CancellationToken ConnectionClosed { get => connection.ConnectionClosed; set => connection.ConnectionClosed = value; }

    public override async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        var stream = services.Drain.IsDraining ? await AcceptDrainingAsync(cancellationToken) : await connection.AcceptAsync(cancellationToken);
        stream?.Features.Set(client);
        return stream;
    }

    public override ValueTask<ConnectionContext> ConnectAsync(IFeatureCollection? features = null, CancellationToken cancellationToken = default) => connection.ConnectAsync(features, cancellationToken);

    public override void Abort() => connection.Abort();

    public override void Abort(ConnectionAbortedException abortReason) => connection.Abort(abortReason);

    public override ValueTask DisposeAsync() => connection.DisposeAsync();

    /// <summary>
    /// After GOAWAY Kestrel asks whether the last exchange is over only when this returns. A client that neither opens a stream nor closes would hold the drain
    /// to its limit, so it returns without a stream from time to time.
    /// </summary>
    private async ValueTask<ConnectionContext?> AcceptDrainingAsync(CancellationToken cancellationToken)
    {
        using var look = new CancellationTokenSource(DrainLook, services.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(look.Token, cancellationToken);
        return await connection.AcceptAsync(either.Token);
    }
}
