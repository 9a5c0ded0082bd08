using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Http1;

/// <summary>Serves one client connection that speaks HTTP/1.1 (or 1.0): one exchange after the other, answered in order.</summary>
internal sealed class Http1Connection(ConnectionContext transport, ClientConnection client, EdgeServices services)
{
    private readonly PipeReader _input = transport.Transport.Input;

    /// <summary>Serves until either side closes. Never throws for what a client does; the caller disposes the transport.</summary>
    public async Task RunAsync()
    {
        using var draining = services.Drain.Token.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), _input);
        try
        {
            while (await ServeOneAsync())
            {
            }
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went away between two exchanges, or while its refusal was written: there is nobody left to tell.
            transport.Abort(new ConnectionAbortedException("The client went away.", gone));
        }
    }

    /// <summary>One exchange. False when the connection is done.</summary>
    private async ValueTask<bool> ServeOneAsync()
    {
        var settings = services.Settings();
        var (state, buffer, length) = await ReadHeadAsync(settings.Limits);
        if (state is null)
        {
            return false;
        }

        var exchange = new Exchange { Id = services.Ids.Next(), Connection = client, Client = null!, Direction = services.Direction, Aborted = transport.ConnectionClosed };
        client.HasServed = true;
        exchange.Timings.Received = services.Time.GetTimestamp();
        exchange.ClientProtocol = ProtocolVersion.Http11;
        var head = default(RequestHead);
        var refusal = state switch
        {
            HeadState.BadLineEnd => Refusals.BadLineEnd,
            HeadState.TooLarge => Refusals.HeadTooLarge,
            HeadState.Incomplete => Refusals.HeadTimeout,
            _ => Read(exchange, buffer, settings, out head),
        };

        var body = new Http1RequestBody(_input, refusal is null ? head.ContentLength : 0, head.ExpectsContinue ? () => SendContinueAsync(exchange) : null, settings.Limits, services.Time);
        var writer = new Http1ResponseWriter(transport, exchange.ClientProtocol, exchange.Method, head.KeepAlive && refusal is null && !services.Drain.IsDraining);
        exchange.Client = writer;
        exchange.RequestBody = body;
        if (refusal is not null)
        {
            exchange.Reject(refusal);
        }

        await services.Handler(exchange);

        if (exchange.Intercept)
        {
            await services.Intercept(exchange, await writer.SwitchProtocolsAsync(200, new HeaderList(), exchange.Aborted), transport.Features);
            return false;
        }

        if (writer.HasSwitched || !writer.IsComplete)
        {
            return false;
        }

        // What the exchange left unread stands before the next request, or would make the close a reset that eats our reply.
        return await DrainAsync(body, settings.Limits, refusal is not null) && writer.KeepAlive && refusal is null;
    }

    /// <summary>Parses the head onto the exchange.</summary>
    private Rejection? Read(Exchange exchange, byte[] bytes, ListenerSettings settings, out RequestHead head)
    {
        var fields = exchange.RequestHeaders;
        if (HeadParser.Parse(bytes, settings.Limits, fields, out head) is { } malformed)
        {
            exchange.Method = head.Method ?? "";
            return malformed;
        }

        exchange.Method = head.Method;
        exchange.ClientProtocol = head.Version;
        exchange.IsTunnel = exchange.Method == "CONNECT";
        fields.TryGet(KnownHeader.Host, out var host);
        var target = RequestTarget.Read(exchange, bytes.AsSpan(head.TargetStart, head.TargetLength), host);
        if (!target.IsTarget)
        {
            return target.Rejection with { ClosesConnection = true };
        }

        exchange.Target = target.Target;
        if (exchange.IsTunnel && services.Direction == Direction.Ingress)
        {
            return Refusals.ConnectOnIngress;
        }

        if (head.Version == ProtocolVersion.Http11 && HeadParser.Names(fields, "upgrade"u8) && fields.Get(KnownHeader.Upgrade) is { } protocol && !protocol.StartsWith("h2c", StringComparison.OrdinalIgnoreCase))
        {
            exchange.UpgradeProtocol = protocol.ToLowerInvariant();
        }

        HeaderHygiene.CleanRequest(exchange, settings);
        return null;
    }

    /// <summary>Waits for a head: as long as the connection may idle for its first byte, then as long as a head may take.</summary>
    /// <returns>No state when the connection ended or may end.</returns>
    private async ValueTask<(HeadState? State, byte[] Head, int Length)> ReadHeadAsync(EdgeLimits limits)
    {
        using var timer = new CancellationTokenSource(limits.IdleTimeout, services.Time);
        var begun = false;
        while (true)
        {
            ReadResult result;
            try
            {
                result = await _input.ReadAsync(timer.Token);
            }
            catch (OperationCanceledException) when (timer.IsCancellationRequested)
            {
                return begun ? (HeadState.Incomplete, [], 0) : (null, [], 0);
            }

            var buffer = result.Buffer;
            if (!begun && buffer.Length >= 2 && buffer.FirstSpan is [(byte)'\r', (byte)'\n', ..])
            {
                // RFC 9112 2.2: one empty line before a request line is ignored, as old clients send it after a body.
                buffer = buffer.Slice(2);
            }

            var state = HeadReader.Find(buffer, limits.MaxHeadBytes, out var length);
            if (state != HeadState.Incomplete)
            {
                var head = state == HeadState.Complete ? System.Buffers.BuffersExtensions.ToArray(buffer.Slice(0, length)) : [];
                _input.AdvanceTo(state == HeadState.Complete ? buffer.GetPosition(length) : buffer.End);
                return (state, head, length);
            }

            _input.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted || (services.Drain.IsDraining && buffer.IsEmpty))
            {
                return (null, [], 0);
            }

            if (!begun && !buffer.IsEmpty)
            {
                begun = true;
                timer.CancelAfter(limits.HeaderTimeout);
            }
        }
    }

    private async ValueTask SendContinueAsync(Exchange exchange)
    {
        if (!exchange.Client.HasStarted)
        {
            await exchange.Client.WriteInformationalAsync(100, new HeaderList(), exchange.Aborted);
        }
    }

    /// <summary>Reads away what is left, within bounds.</summary>
    private async ValueTask<bool> DrainAsync(Http1RequestBody body, EdgeLimits limits, bool framingUnknown)
    {
        if (body.IsComplete && !framingUnknown)
        {
            return true;
        }

        using var timer = new CancellationTokenSource(limits.DrainTimeout, services.Time);
        try
        {
            var scratch = new byte[4096];
            for (var drained = 0; drained < limits.MaxDrainBytes;)
            {
                if (framingUnknown)
                {
                    var result = await _input.ReadAsync(timer.Token);
                    drained += (int)result.Buffer.Length;
                    _input.AdvanceTo(result.Buffer.End);
                    if (result.IsCompleted)
                    {
                        return false;
                    }
                }
                else if (await body.ReadAsync(scratch, timer.Token) is > 0 and var read)
                {
                    drained += read;
                }
                else
                {
                    return true;
                }
            }
        }
        catch (Exception notWorthIt) when (notWorthIt is OperationCanceledException or MessageBodyException)
        {
            // Draining only saves a connection; when the client does not play along, the connection closes.
            return false;
        }

        return false;
    }
}
