using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Tidegate.Forwarding.Connecting;

/// <summary>
/// A socket as a connection, with nothing in between: a read receives into the buffer that is handed out, a flush sends what was written, and whoever waits is
/// called by the thread that the system's answer came in on.
/// </summary>
internal sealed class SocketConnection : ConnectionContext, IDuplexPipe
{
    private readonly Socket _socket;
    private readonly SocketReader _input;
    private readonly SocketWriter _output;

    public SocketConnection(Socket socket)
    {
        _socket = socket;
        _input = new SocketReader(socket);
        _output = new SocketWriter(socket);
        LocalEndPoint = socket.LocalEndPoint;
        RemoteEndPoint = socket.RemoteEndPoint;
    }

    public override string ConnectionId { get => field ??= $"{LocalEndPoint}-{RemoteEndPoint}"; set; }

    public override IFeatureCollection Features => field ??= new FeatureCollection();

    public override IDictionary<object, object?> Items { get => field ??= new Dictionary<object, object?>(); set; }

    public override IDuplexPipe Transport { get => this; set => throw new NotSupportedException("The pipe of a socket is fixed."); }

    public override CancellationToken ConnectionClosed { get; set; }

    public PipeReader Input => _input;

    public PipeWriter Output => _output;

    /// <summary>
    /// From any thread: reads that wait end, sends that wait fail. An orderly end on the wire, not a reset: requests say where they end, so the upstream knows
    /// a broken one, and an idle connection is closed this way too.
    /// </summary>
    public override void Abort(ConnectionAbortedException abortReason) => Shutdown(_socket, SocketShutdown.Both);

    public override ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _input.Complete();
        _output.Release();
        return default;
    }

    private static void Shutdown(Socket socket, SocketShutdown directions)
    {
        try
        {
            socket.Shutdown(directions);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // The peer was faster: there is nobody left to be told of our end.
            return;
        }
    }

    private sealed class SocketReader(Socket socket) : ReceivingPipeReader
    {
        protected override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => socket.ReceiveAsync(buffer, SocketFlags.None, CancellationToken.None);
    }

    private sealed class SocketWriter(Socket socket) : SendingPipeWriter
    {
        protected override ValueTask<int> SendAsync(ReadOnlyMemory<byte> bytes) => socket.SendAsync(bytes, SocketFlags.None, CancellationToken.None);

        protected override void CompleteSending() => Shutdown(socket, SocketShutdown.Send);
    }
}
