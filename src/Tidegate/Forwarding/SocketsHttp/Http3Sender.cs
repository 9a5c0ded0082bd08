using System.Collections.Concurrent;
using System.Net;
using System.Net.Quic;
using System.Runtime.Versioning;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>
/// Sends requests over HTTP/3. The framework opens QUIC connections by itself, where nothing of ours can look on, so it is given what is left to choose nothing from: an
/// address that we looked up and checked, the name for its handshake, and a handler for just these.
/// </summary>
internal sealed class Http3Sender(UpstreamConnector connector, TimeProvider time) : IDisposable
{
    // As many names as the resolver keeps.
    private const int MaxAnswered = 1_000;

    private readonly Http3Handlers _handlers = new(connector, time);
    private readonly ConcurrentDictionary<(string Host, int Port), IPAddress> _answered = new();

    /// <summary>Whether this machine has libmsquic.</summary>
    [SupportedOSPlatformGuard("linux"), SupportedOSPlatformGuard("macos"), SupportedOSPlatformGuard("windows")]
    public static bool IsSupported => (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS() || OperatingSystem.IsWindows()) && QuicConnection.IsSupported;

    /// <summary>Handlers that are kept.</summary>
    public int HandlerCount => _handlers.Count;

    /// <summary>One request and its answer's head.</summary>
    /// <exception cref="ConnectException">No connection; nothing was sent.</exception>
    public async Task<HttpResponseMessage> SendAsync(Exchange exchange, Upstream upstream, Destination destination, Http3Call call)
    {
        var began = time.GetTimestamp();
        var serverName = upstream.RewriteHost ? destination.Host : exchange.Target.Host;
        if (destination.Scheme != "https" || !IsSupported || (upstream.Tls.ServerName is { } other && !other.Equals(serverName, StringComparison.OrdinalIgnoreCase)))
        {
            // check refuses all of these. Where it was not asked, nothing goes out with less protection than was written.
            throw new ConnectException(destination.Scheme != "https" || IsSupported ? FailureKind.TlsFailed : FailureKind.ConnectFailed, null);
        }

        var attempt = call.Attempt;
        attempt.Arm(FailureKind.ConnectTimeout, upstream.Timeouts.Connect);
        var found = await connector.ResolveAsync(destination.Host, destination.Port, attempt.Token);
        var addresses = Order(destination, found);
        for (var i = 0; ; i++)
        {
            var left = addresses.Count - i;
            var patience = left == 1 ? Timeout.InfiniteTimeSpan : (upstream.Timeouts.Connect - time.GetElapsedTime(began)) / left;
            var key = new Http3Key(addresses[i], destination.Port, serverName, upstream.Tls, Written(upstream.Tls), upstream.MaxConnections > 0);
            try
            {
                if (await TryAsync(exchange, upstream, destination, call, key, patience) is { } response)
                {
                    Remember(destination, found, addresses[i]);
                    return response;
                }
            }
            catch (ConnectException) when (left > 1 && !attempt.Token.IsCancellationRequested)
            {
                // The next address, as over TCP. The last one's error says more than a list of all.
                continue;
            }
        }
    }

    public void Dispose() => _handlers.Dispose();

    private static DateTime Written(UpstreamTls tls) => tls.AuthorityFile is { } file ? File.GetLastWriteTimeUtc(file) : default;

    /// <summary>At one address. Null when it had no connection within its share of the time.</summary>
    private async Task<HttpResponseMessage?> TryAsync(Exchange exchange, Upstream upstream, Destination destination, Http3Call call, Http3Key key, TimeSpan patience)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            var began = time.GetTimestamp();
            var handler = _handlers.For(key);
            var handshakes = handler.Handshakes;
            var made = new Http3Try(call.Attempt, handler, time);
            var request = UpstreamRequest.Create(exchange, upstream, destination, call.Content, key.Address);
            request.Options.Set(Http3Try.Key, made);
            try
            {
                var response = await WithinAsync(patience, handler, request, made, call.Attempt.Token);
                if (response is null)
                {
                    RetireStuck(handler);
                }

                return response;
            }
            catch (OperationCanceledException) when (!made.IsWritten && !call.Attempt.Aborted.IsCancellationRequested)
            {
                RetireStuck(handler);
                throw;
            }
            catch (HttpRequestException stale) when (isFirst && !made.IsWritten && stale.HttpRequestError == HttpRequestError.VersionNegotiationError)
            {
                // The handler remembers a handshake that failed, perhaps long ago and for somebody who has left since. Another one asks anew.
                _handlers.Retire(handler);
            }
            catch (Exception failed) when (!made.IsWritten && failed is HttpRequestException or IOException)
            {
                _handlers.Retire(handler);
                throw new ConnectException(IsSupported ? Http3Failures.BeforeSent(failed) : FailureKind.ConnectFailed, failed);
            }
            finally
            {
                call.Connecting.IsWritten |= made.IsWritten;
                if (made.IsWritten && handler.Handshakes != handshakes)
                {
                    call.Connecting.Ticks = made.WrittenAt - began;
                }
            }
        }
    }

    /// <summary>
    /// A handler makes one handshake at a time, and the next request would wait for the one that gets no answer: with its retransmissions ever further apart, it is the
    /// last to notice that the upstream is back.
    /// </summary>
    private void RetireStuck(Http3Handler handler)
    {
        if (!handler.IsInUse)
        {
            _handlers.Retire(handler);
        }
    }

    private async Task<HttpResponseMessage?> WithinAsync(TimeSpan patience, Http3Handler handler, HttpRequestMessage request, Http3Try made, CancellationToken cancellationToken)
    {
        if (patience == Timeout.InfiniteTimeSpan)
        {
            return await handler.SendAsync(request, cancellationToken);
        }

        using var givenUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var answered = new CancellationTokenSource();
        var sending = handler.SendAsync(request, givenUp.Token);
        var turn = Task.Delay(patience > TimeSpan.Zero ? patience : TimeSpan.Zero, time, answered.Token);
        if (await Task.WhenAny(sending, turn) == turn && made.GiveUp())
        {
            await givenUp.CancelAsync();
            await ((Task)sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }

        await answered.CancelAsync();
        return await sending;
    }

    /// <summary>The families take turns, as over TCP; the address that answered last comes first.</summary>
    private IReadOnlyList<IPAddress> Order(Destination destination, IPAddress[] found)
    {
        if (found.Length == 1)
        {
            return found;
        }

        var order = ConnectionRace.Interleave(found);
        return _answered.TryGetValue((destination.Host, destination.Port), out var last) && order.Contains(last) ? [last, .. order.Where(address => !address.Equals(last))] : order;
    }

    private void Remember(Destination destination, IPAddress[] found, IPAddress answered)
    {
        if (found.Length > 1 && (_answered.Count < MaxAnswered || _answered.ContainsKey((destination.Host, destination.Port))))
        {
            _answered[(destination.Host, destination.Port)] = answered;
        }
    }
}

/// <summary>What one attempt brings along.</summary>
/// <param name="Attempt">Its clock.</param>
/// <param name="Connecting">Is told what became of the connection.</param>
/// <param name="Content">The client's content; null for none.</param>
internal readonly record struct Http3Call(Attempt Attempt, ConnectionRequest Connecting, RequestContent? Content);
