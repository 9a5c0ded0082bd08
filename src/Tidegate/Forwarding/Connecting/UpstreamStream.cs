using Microsoft.AspNetCore.Connections;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Connecting;

/// <summary>What a tunnel, or an upgraded connection, is on the upstream's side. Silence in both directions for the idle timeout ends it.</summary>
internal sealed class UpstreamStream : ConnectionStream
{
    private static readonly Failure Silence = new(FailureSource.Upstream, FailureKind.IdleTimeout, Retryable: false, "Nothing came or went through the tunnel for the idle timeout.");

    private readonly Deadline _deadline;
    private readonly TimeSpan _idle;
    private readonly Action? _close;

    /// <summary>Begins to count silence.</summary>
    /// <param name="connection">Its bytes.</param>
    /// <param name="deadlines">Of the process.</param>
    /// <param name="idle">The longest silence.</param>
    /// <param name="close">Closes the connection in the place of this stream; null when the stream shall do it.</param>
    public UpstreamStream(ConnectionContext connection, Deadlines deadlines, TimeSpan idle, Action? close = null)
        : base(connection)
    {
        _close = close;
        _idle = idle;
        _deadline = deadlines.Add(static state => ((ConnectionContext)state).Abort(new ConnectionAbortedException("Idle for too long.")), connection);
        _deadline.Set(idle);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var read = await base.ReadAsync(buffer, cancellationToken);
            return _deadline.Set(_idle) ? read : throw new MessageBodyException(Silence);
        }
        catch (IOException broken) when (_deadline.IsExpired && broken is not MessageBodyException)
        {
            throw new MessageBodyException(Silence, broken);
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await base.WriteAsync(buffer, cancellationToken);
        _deadline.Set(_idle);
    }

    public override ValueTask DisposeAsync()
    {
        _deadline.Dispose();
        if (_close is null)
        {
            return base.DisposeAsync();
        }

        _close();
        return default;
    }
}
