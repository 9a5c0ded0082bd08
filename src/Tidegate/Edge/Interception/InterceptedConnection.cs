using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Interception;

/// <summary>The decrypted inside of a tunnel as a connection, so that the same servers serve it as any other.</summary>
internal sealed class InterceptedConnection(Exchange connect, SslStream inside, IFeatureCollection outer) : ConnectionContext, IDuplexPipe
{
    public override string ConnectionId { get; set; } = ExchangeId.Format(connect.Id);

    // What Kestrel needs of a connection (heartbeat, lifetime, metrics) is the outer connection's.
    public override IFeatureCollection Features { get; } = new FeatureCollection(outer);

    public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

    public override IDuplexPipe Transport { get => this; set => throw new NotSupportedException("The transport of an intercepted connection is fixed."); }

    public override CancellationToken ConnectionClosed { get; set; } = connect.Aborted;

    public override EndPoint? LocalEndPoint { get; set; } = connect.Connection.LocalEndPoint;

    public override EndPoint? RemoteEndPoint { get; set; } = new IPEndPoint(connect.Connection.PeerAddress, connect.Connection.PeerPort);

    public PipeReader Input { get; } = PipeReader.Create(inside, new StreamPipeReaderOptions(leaveOpen: true));

    public PipeWriter Output { get; } = PipeWriter.Create(inside, new StreamPipeWriterOptions(leaveOpen: true));

    public override void Abort(ConnectionAbortedException abortReason) => connect.Client.Abort();
}
