using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Recording.Tracing;
using Tidegate.Transport;

namespace Tidegate;

/// <summary>
/// The path of one exchange, the same for both directions:
/// <code>
/// client ─► Edge ─► Routing ─► Policies: Identify Authorize Fallback Admit Cache Transform Resilience │ Attempt ─► Forwarding ─► upstream
///            │         │          │ refused                                                                │ broke
///            ▼         ▼          ▼                                                                        ▼
///            └──────── the answer stands on the exchange ─► ResponseRelay writes it to the client ─► Recording
/// </code>
/// Every stage leaves its result as a value on the exchange. Only the relay writes to the client, and the record is always made.
/// </summary>
internal sealed class GatewayHandler(
    SnapshotHolder snapshots, ExchangesInFlight inFlight, ExchangeTracing tracing, IResponseRelay relay, IExchangeRecorder recorder, TimeProvider time, Action<Exchange, Exception> onBug)
{
    /// <summary>Takes one exchange from its parsed head to its record. An exchange that the edge refused comes in already decided.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask HandleAsync(Exchange exchange)
    {
        inFlight.Enter(exchange.Direction);
        try
        {
            tracing.Begin(exchange);
            if (exchange.Outcome == Outcome.Pending && Route(exchange, snapshots.Current) is { } plan)
            {
                await plan.Pipeline.InvokeAsync(exchange);
            }

            await relay.RelayAsync(exchange);
        }
        catch (Exception bug)
        {
            // Expected trouble is a value by now; whatever still gets here is ours. The client learns the id, the log learns the rest.
            onBug(exchange, bug);
            exchange.Fail(new Failure(FailureSource.Gateway, FailureKind.GatewayError, Retryable: false, "The gateway failed to handle this exchange. The log has it under the exchange id."));
            await relay.RelayFailureAsync(exchange);
        }
        finally
        {
            exchange.EndAnswer(downTo: 0);
            inFlight.Leave(exchange.Direction);

            // An intercepted CONNECT is not a call of its own: what is inside is recorded, and the interceptor records its failure.
            if (!exchange.Intercept || exchange.Outcome != Outcome.Forwarded)
            {
                exchange.Timings.Ended = time.GetTimestamp();
                recorder.Record(exchange);
            }
        }
    }

    /// <summary>Finds the plan and puts onto the exchange what depends on the route; null when there is none, with the refusal on the exchange.</summary>
    internal static RoutePlan? Route(Exchange exchange, GatewaySnapshot snapshot)
    {
        var isBaseUrlCall = exchange.Direction == Direction.Egress && exchange.Target.Host.Length == 0;
        var match = isBaseUrlCall
            ? snapshot.Routes.MatchBasePath(exchange.Method, exchange.Target.Path)
            : snapshot.Routes.Match(exchange.Direction, exchange.Method, exchange.Target);

        var plan = match.Route is { } route ? snapshot.Plans[route.Index] : isBaseUrlCall || exchange.Direction == Direction.Ingress ? null : snapshot.Unlisted;
        if (plan is null)
        {
            exchange.Reject(NoRoute(exchange, isBaseUrlCall));
            return null;
        }

        // Known before the policies: a CONNECT that will be opened is no call, and is not counted as one. What is inside comes by here again.
        exchange.OpensTunnel = exchange.IsTunnel && plan.Tunnel == TunnelMode.Intercept;
        exchange.ApiName = plan.Route.ApiName;
        exchange.EndpointName = plan.Route.EndpointName;
        if (!plan.AllowEncodedSlash && exchange.Target.Path.Contains("%2F", StringComparison.Ordinal))
        {
            exchange.Reject(EncodedSlash);
            return null;
        }

        if (plan.MaxRequestBodyBytes is { } maxBytes && !exchange.RequestBody.IsEmpty)
        {
            if (exchange.RequestBody.Length > maxBytes)
            {
                exchange.Reject(TooLarge);
                return null;
            }

            exchange.RequestBody = new BoundedBody(exchange.RequestBody, maxBytes);
        }

        if (isBaseUrlCall)
        {
            exchange.BasePath = plan.Route.BasePath;
            exchange.Target = new ExchangeTarget(plan.BaseTarget!.Scheme, plan.BaseTarget.Host, plan.BaseTarget.Port, match.Path, exchange.Target.Query);
        }

        return plan;
    }

    private static readonly Rejection EncodedSlash = new("routing", "encoded_slash", 400, "The path contains %2F, which services read in different ways. Set the API's allow_encoded_slash if its service treats it as data.");

    private static readonly Rejection TooLarge = new("routing", "client_body_too_large", 413, "The request's content is larger than this API's max_request_body.");

    private static Rejection NoRoute(Exchange exchange, bool isBaseUrlCall) => (exchange.Direction, isBaseUrlCall) switch
    {
        (Direction.Ingress, _) => new Rejection("routing", "no_route", 404, "No API of this gateway has this host and path."),
        (_, true) => new Rejection("routing", "no_base_path", 404, "No API has this base path. Call an API's base_path, or use this address as an HTTP proxy."),
        _ => new Rejection("routing", "host_not_listed", 403, "This host is not listed. Add an API with this host, or set defaults.egress.unlisted_hosts."),
    };
}

/// <summary>Writes an exchange's answer to its client.</summary>
internal interface IResponseRelay
{
    /// <summary>Streams the answer, or writes the refusal or failure. Leaves a failure on the exchange when the answer breaks on the way.</summary>
    ValueTask RelayAsync(Exchange exchange);

    /// <summary>Tells the client of a failure: as a problem while nothing was sent, else by aborting.</summary>
    ValueTask RelayFailureAsync(Exchange exchange);
}

/// <summary>Keeps what is to be kept of an exchange.</summary>
internal interface IExchangeRecorder
{
    /// <summary>Never waits and never throws.</summary>
    void Record(Exchange exchange);
}
