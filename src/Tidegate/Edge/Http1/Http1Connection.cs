using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge.Http1;

/// <summary>Serves one client connection that speaks HTTP/1.1 (or 1.0): one exchange after the other, answered in order.</summary>
internal sealed class Http1Connection(ConnectionContext transport, ClientConnection client, EdgeServices services)
{
    private readonly PipeReader _input = transport.Transport.Input;
    private readonly ReadDeadline _deadline = new(transport.Transport.Input, services.Deadlines);
    private readonly StallTimer _stall = new(transport.Transport.Output, services.Deadlines);
    private bool _hasHeadBegun;
    private long _lastEnded;

    /// <summary>Serves until either side closes. Never throws for what a client does; the caller disposes the transport.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask RunAsync()
    {
        using var draining = services.Drain.Token.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), _input);
        try
        {
            // Waits for a head here and nowhere deeper: most of a connection's life is this wait.
            while (true)
            {
                var settings = services.Settings();
                BeginHead(settings.Limits);
                Http1Exchange? parts;
                while (!TryReadHead(await _input.ReadAsync(), settings, out parts))
                {
                }

                if (parts is null)
                {
                    return;
                }

                await services.Handler(parts.Exchange);
                if (!MayGoOn(parts) && !await EndAsync(parts))
                {
                    return;
                }

                _lastEnded = parts.Exchange.Timings.Ended;
                parts.Return();

                // It is somebody else's now, and an idle connection holds none.
                parts = null;
            }
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went away between two exchanges, or while its refusal was written: there is nobody left to tell.
            transport.Abort(new ConnectionAbortedException("The client went away.", gone));
        }
        finally
        {
            _deadline.Dispose();
            _stall.Dispose();
        }
    }

    /// <summary>The usual end of an exchange: answered, all of its content read, and neither side wants to close.</summary>
    private static bool MayGoOn(Http1Exchange parts) =>
        parts is { Writer: { KeepAlive: true, IsComplete: true, HasSwitched: false }, Body.IsComplete: true, Exchange: { Intercept: false, Rejection: not { ClosesConnection: true } } };

    /// <summary>Any other end. False when the connection is done.</summary>
    private async ValueTask<bool> EndAsync(Http1Exchange parts)
    {
        var (exchange, body, writer) = (parts.Exchange, parts.Body, parts.Writer);
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
        var isRefused = exchange.Rejection?.ClosesConnection == true;
        if ((!body.IsComplete || isRefused) && !await DrainAsync(body, services.Settings().Limits, isRefused))
        {
            return false;
        }

        if (writer.KeepAlive && !isRefused)
        {
            return true;
        }

        parts.Return();
        return false;
    }

    /// <summary>The wait for a head begins: as long as the connection may idle for its first byte, then as long as a head may take.</summary>
    private void BeginHead(EdgeLimits limits)
    {
        _hasHeadBegun = false;
        _deadline.Begin(limits.IdleTimeout, _lastEnded == 0 ? services.Time.GetTimestamp() : _lastEnded);
        if (services.Drain.ClosesIdle)
        {
            // What it interrupted when it began was perhaps the reading of content: the next read takes what is there and does not wait for a request to come.
            _input.CancelPendingRead();
        }
    }

    /// <summary>Looks at what has come of a head. What is incomplete stays whole in the pipe, so that a head reads the same in whatever pieces it comes.</summary>
    /// <param name="result">What has come.</param>
    /// <param name="settings">In force when the wait began.</param>
    /// <param name="parts">An exchange, refused if the head is no good; null when the connection ended or may end.</param>
    /// <returns>False while the end is not there yet.</returns>
    private bool TryReadHead(in ReadResult result, ListenerSettings settings, out Http1Exchange? parts)
    {
        var limits = settings.Limits;
        var buffer = HeadReader.SkipEmptyLine(result.Buffer);
        var state = HeadReader.Find(buffer, limits.MaxHeadBytes, out var length);
        var isOver = state != HeadState.Incomplete || result.IsCompleted || (buffer.IsEmpty && services.Drain.ClosesIdle);
        if (isOver ? !_deadline.End() : _deadline.IsExpired)
        {
            _input.AdvanceTo(result.Buffer.Start, buffer.End);
            parts = _hasHeadBegun ? Refused(Refusals.HeadTimeout, limits) : null;
            return true;
        }

        switch (state)
        {
            case HeadState.Complete:
                parts = Read(buffer.Slice(0, length), settings);
                _input.AdvanceTo(buffer.GetPosition(length));
                return true;
            case HeadState.BadLineEnd:
                _input.AdvanceTo(buffer.End);
                parts = Refused(Refusals.BadLineEnd, limits);
                return true;
            case HeadState.TooLarge:
                _input.AdvanceTo(buffer.End);
                parts = Refused(Refusals.HeadTooLarge, limits);
                return true;
        }

        _input.AdvanceTo(result.Buffer.Start, buffer.End);
        if (!isOver && !_hasHeadBegun && !buffer.IsEmpty)
        {
            _hasHeadBegun = true;
            _deadline.Begin(limits.HeaderTimeout, services.Time.GetTimestamp());
        }

        parts = isOver && !buffer.IsEmpty ? Refused(Refusals.HeadTruncated, limits) : null;
        return isOver;
    }

    private Http1Exchange Begin()
    {
        var parts = Http1Exchange.Rent();
        var exchange = parts.Exchange;
        exchange.Id = services.Ids.Next();
        exchange.Connection = client;
        exchange.Direction = services.Direction;
        exchange.Aborted = transport.ConnectionClosed;
        exchange.ClientProtocol = ProtocolVersion.Http11;
        exchange.Timings.Received = services.Time.GetTimestamp();
        client.HasServed = true;
        return parts;
    }

    private Http1Exchange Refused(Rejection refusal, EdgeLimits limits)
    {
        var parts = Begin();
        parts.Writer.Begin(transport, limits, _stall, ProtocolVersion.Http11, "", keepAlive: false, services.Drain);
        parts.Exchange.Reject(refusal);
        return parts;
    }

    /// <summary>The exchange of a complete head, parsed where it stands.</summary>
    private Http1Exchange Read(ReadOnlySequence<byte> bytes, ListenerSettings settings)
    {
        var parts = Begin();
        var refusal = Read(parts.Exchange, bytes.IsSingleSegment ? bytes.FirstSpan : bytes.ToArray(), settings, out var head);
        parts.Body.Begin(_input, refusal is null ? head.ContentLength : 0, head.ExpectsContinue, settings.Limits, _deadline, services.Time);
        parts.Exchange.RequestBody = parts.Body;
        parts.Writer.Begin(transport, settings.Limits, _stall, parts.Exchange.ClientProtocol, parts.Exchange.Method, head.KeepAlive && refusal is null, services.Drain);
        if (refusal is not null)
        {
            parts.Exchange.Reject(refusal);
        }

        return parts;
    }

    private Rejection? Read(Exchange exchange, ReadOnlySpan<byte> bytes, ListenerSettings settings, out RequestHead head)
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
        var target = TargetCache.OfThread.Read(exchange, bytes.Slice(head.TargetStart, head.TargetLength), host);
        if (!target.IsTarget)
        {
            return target.Rejection.ClosesConnection ? target.Rejection : target.Rejection with { ClosesConnection = true };
        }

        exchange.Target = target.Target;
        if (exchange.IsTunnel && services.Direction == Direction.Ingress)
        {
            return Refusals.ConnectOnIngress;
        }

        exchange.UpgradeProtocol = UpgradeProtocol(head, fields);
        HeaderHygiene.CleanRequest(exchange, settings);
        return null;
    }

    /// <summary>The protocol that the request may switch to. A request with content may not: where the content ends and the protocol begins would be a race.</summary>
    private static string? UpgradeProtocol(in RequestHead head, HeaderList fields)
    {
        if (head.Version != ProtocolVersion.Http11 || head.ContentLength != 0 || !HeadParser.Names(fields, "upgrade"u8) || fields.Get(KnownHeader.Upgrade) is not { } offered)
        {
            return null;
        }

        // Another HTTP, or TLS with HTTP inside, would carry requests past every rule of ours, also as one of several choices.
        return offered.Contains("h2c", StringComparison.OrdinalIgnoreCase) || offered.Contains("http", StringComparison.OrdinalIgnoreCase) || offered.Contains("tls", StringComparison.OrdinalIgnoreCase)
            ? null
            : offered.ToLowerInvariant();
    }

    /// <summary>Reads away what is left, within bounds. False when the connection cannot go on.</summary>
    private async ValueTask<bool> DrainAsync(Http1RequestBody body, EdgeLimits limits, bool framingUnknown)
    {
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
