using System.Net;
using Tidegate.Configuration;
using Tidegate.Control.Store;
using Tidegate.Forwarding;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.AdaptiveThrottle;
using Tidegate.Policies.Cache;
using Tidegate.Policies.Capture;
using Tidegate.Policies.CircuitBreaker;
using Tidegate.Policies.Credential;
using Tidegate.Policies.Hedge;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Retry;

namespace Tidegate.Control;

/// <summary>What the control plane sees of the running gateway. Asked anew each time; cheap and never blocking.</summary>
internal interface IGatewayView
{
    /// <summary>What is in force.</summary>
    CompiledConfiguration Configuration { get; }

    /// <summary>Traffic listeners; none while the gateway starts.</summary>
    IReadOnlyList<ListenerView> Listeners { get; }

    /// <summary>What limits count, and who waits.</summary>
    LimitStore Limits { get; }

    /// <summary>Times that counts could not be saved.</summary>
    long LedgerFailures { get; }

    /// <summary>Where large requests are kept for another attempt.</summary>
    SpillSpace Spill { get; }

    /// <summary>Which upstreams are down.</summary>
    Circuits Circuits { get; }

    /// <summary>What upstreams refused of late.</summary>
    Throttles Throttles { get; }

    /// <summary>How many calls upstreams can work on.</summary>
    ConcurrencyGradients Gradients { get; }

    /// <summary>Destinations that are one of several: whether each is left out now, and how often it was.</summary>
    IEnumerable<DestinationView> Destinations { get; }

    /// <summary>Keys of APIs that have several.</summary>
    KeyHealths Keys { get; }

    /// <summary>What is sent a second time.</summary>
    HedgeRoutes Hedges { get; }

    /// <summary>What is stored of answers.</summary>
    HttpCache Cache { get; }

    /// <summary>Headers and content of chosen exchanges.</summary>
    CaptureStore Captures { get; }

    /// <summary>Where exchanges are kept; null when they are not.</summary>
    IExchangeStore? Store { get; }

    /// <summary>Records handed to the sinks.</summary>
    long Recorded { get; }

    /// <summary>Records that found no room.</summary>
    long Dropped { get; }

    /// <summary>Batches that each sink lost.</summary>
    IEnumerable<(string Sink, long Failures)> SinkFailures { get; }
}

/// <summary>One traffic listener.</summary>
/// <param name="Name">As in the configuration.</param>
/// <param name="EndPoint">Where it listens.</param>
/// <param name="Open">Connections open now.</param>
/// <param name="Refused">Connections closed at once because a limit was reached.</param>
internal readonly record struct ListenerView(string Name, IPEndPoint EndPoint, int Open, long Refused);

/// <summary>A destination that is one of several.</summary>
/// <param name="Api">Whose.</param>
/// <param name="Destination">As scheme, host and port.</param>
/// <param name="Health">What is known of it.</param>
/// <param name="IsEjected">It is left out now, or would be.</param>
/// <param name="IsObserved">It would be: nothing is left out of this API.</param>
/// <param name="AskedSeconds">Until the pause is over that it asked for; 0 when there is none.</param>
/// <param name="IsOnTrial">It was left out, and one attempt at a time finds out whether it is back.</param>
internal sealed record DestinationView(string Api, string Destination, DestinationHealth Health, bool IsEjected, bool IsObserved, double AskedSeconds = 0, bool IsOnTrial = false);
