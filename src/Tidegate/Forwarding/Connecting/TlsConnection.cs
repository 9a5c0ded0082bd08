using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Connecting;

/// <summary>A connection whose bytes go through TLS; the handshake is done.</summary>
internal sealed class TlsConnection : ConnectionContext, IDuplexPipe
{
    private readonly ConnectionContext _transport;
    private readonly SslStream _tls;
    private readonly TlsReader _input;
    private readonly TlsWriter _output;
    private volatile bool _isAborted;

    public TlsConnection(ConnectionContext transport, SslStream tls)
    {
        _transport = transport;
        _tls = tls;
        _input = new TlsReader(tls);
        _output = new TlsWriter(tls);
    }

    public override string ConnectionId { get => _transport.ConnectionId; set => _transport.ConnectionId = value; }

    public override IFeatureCollection Features => _transport.Features;

    public override IDictionary<object, object?> Items { get => _transport.Items; set => _transport.Items = value; }

    public override IDuplexPipe Transport { get => this; set => throw new NotSupportedException("The pipe of a TLS connection is fixed."); }

    public override CancellationToken ConnectionClosed { get => _transport.ConnectionClosed; set => _transport.ConnectionClosed = value; }

    public override EndPoint? LocalEndPoint { get => _transport.LocalEndPoint; set => _transport.LocalEndPoint = value; }

    public override EndPoint? RemoteEndPoint { get => _transport.RemoteEndPoint; set => _transport.RemoteEndPoint = value; }

    public PipeReader Input => _input;

    public PipeWriter Output => _output;

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _isAborted = true;
        _transport.Abort(abortReason);
    }

    public override async ValueTask DisposeAsync()
    {
        if (!_isAborted)
        {
            // RFC 8446 6.1: each side says when it will send no more. Whoever broke off already, or reads nothing, is not waited for.
            await _output.SayGoodbyeAsync();
        }

        await _tls.DisposeAsync();
        await _transport.DisposeAsync();
        await _input.CompleteAsync();
        _output.Release();
    }

    private sealed class TlsReader(SslStream tls) : ReceivingPipeReader
    {
        protected override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => tls.ReadAsync(buffer, CancellationToken.None);
    }

    private sealed class TlsWriter(SslStream tls) : SendingPipeWriter
    {
        private Task? _goodbye;

        public async ValueTask SayGoodbyeAsync()
        {
            try
            {
                _goodbye ??= tls.ShutdownAsync();
                if (_goodbye.IsCompleted)
                {
                    await _goodbye;
                }
            }
            catch (Exception gone) when (gone is IOException or ObjectDisposedException or InvalidOperationException)
            {
                // The peer has gone: nobody reads a goodbye.
                return;
            }
        }

        protected override ValueTask<int> SendAsync(ReadOnlyMemory<byte> bytes)
        {
            var writing = tls.WriteAsync(bytes, CancellationToken.None);
            if (!writing.IsCompletedSuccessfully)
            {
                return WaitAsync(writing, bytes.Length);
            }

            writing.GetAwaiter().GetResult();
            return new ValueTask<int>(bytes.Length);
        }

        protected override void CompleteSending() => _goodbye = SayGoodbyeAsync().AsTask();

        [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
        private static async ValueTask<int> WaitAsync(ValueTask writing, int count)
        {
            await writing;
            return count;
        }
    }
}
