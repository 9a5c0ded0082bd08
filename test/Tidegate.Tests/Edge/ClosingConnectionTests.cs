using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Edge;
using Xunit;

namespace Tidegate.Tests.Edge;

public sealed class ClosingConnectionTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_connection_that_does_not_close_in_time_is_aborted()
    {
        var heartbeat = new Heartbeat();
        var connection = new AbortableConnection();
        connection.Features.Set<IConnectionHeartbeatFeature>(heartbeat);
        ClosingConnection.Watch(connection, new EdgeLimits { StallTimeout = TimeSpan.FromSeconds(60) }, _time);

        _time.Advance(TimeSpan.FromSeconds(60));
        heartbeat.Beat();
        Assert.Null(connection.Reason);
        _time.Advance(TimeSpan.FromSeconds(1));
        heartbeat.Beat();

        Assert.Equal("The client does not read what it was sent.", connection.Reason?.Message);
    }

    [Fact]
    public void A_connection_without_a_heartbeat_is_left_alone()
    {
        var connection = new AbortableConnection();

        ClosingConnection.Watch(connection, EdgeLimits.Default, _time);

        Assert.Null(connection.Reason);
    }

    private sealed class AbortableConnection : DefaultConnectionContext
    {
        public ConnectionAbortedException? Reason { get; private set; }

        public override void Abort(ConnectionAbortedException abortReason) => Reason = abortReason;
    }

    private sealed class Heartbeat : IConnectionHeartbeatFeature
    {
        private Action? _onBeat;

        public void OnHeartbeat(Action<object> action, object state) => _onBeat += () => action(state);

        public void Beat() => _onBeat?.Invoke();
    }
}
