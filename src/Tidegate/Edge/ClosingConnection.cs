using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Tidegate.Edge;

/// <summary>
/// Bounds how long a connection may take to close. What was written last may still wait for a client that does not read; the transport
/// would wait with it, without end.
/// </summary>
internal sealed class ClosingConnection
{
    private readonly ConnectionContext _connection;
    private readonly TimeProvider _time;
    private readonly TimeSpan _limit;
    private readonly long _since;

    private ClosingConnection(ConnectionContext connection, TimeSpan limit, TimeProvider time)
    {
        _connection = connection;
        _time = time;
        _limit = limit;
        _since = time.GetTimestamp();
    }

    /// <summary>Aborts the connection when it is not closed within <see cref="EdgeLimits.StallTimeout"/>, to the second.</summary>
    public static void Watch(ConnectionContext connection, EdgeLimits limits, TimeProvider time) =>
        connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static state => ((ClosingConnection)state).Check(), new ClosingConnection(connection, limits.StallTimeout, time));

    private void Check()
    {
        if (_time.GetElapsedTime(_since) > _limit)
        {
            _connection.Abort(new ConnectionAbortedException("The client does not read what it was sent."));
        }
    }
}
