using System.Net;
using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>
/// What is kept of one exchange. Holds no secret: fields that may carry credentials are not part of it, and the query's values are masked
/// before a sink sees it. A value, so that the recorder can keep its slots and a sink that keeps one has its own: pass it by reference,
/// it is some 380 bytes.
/// </summary>
public readonly record struct ExchangeRecord()
{
    /// <summary>See <see cref="ExchangeId"/>.</summary>
    public required ulong Id { get; init; }

    /// <summary>When the request's head was complete, UTC.</summary>
    public required DateTimeOffset Started { get; init; }

    public required Direction Direction { get; init; }

    /// <summary>Empty when the request was refused before an API was found.</summary>
    public required string Api { get; init; }

    /// <summary>Empty when the API has no endpoints or none fits.</summary>
    public required string Endpoint { get; init; }

    public required Consumer Consumer { get; init; }

    /// <summary>What a trusted proxy said, else the peer.</summary>
    public required IPAddress ClientAddress { get; init; }

    public required ProtocolVersion ClientProtocol { get; init; }

    public required string Method { get; init; }

    public required string Scheme { get; init; }

    public required string Host { get; init; }

    public required int Port { get; init; }

    public required string Path { get; init; }

    /// <summary>Names kept, values masked unless the recorder was told otherwise; null when there is none.</summary>
    public string? Query { get; init; }

    /// <summary>The status that the client got; 0 when it got none.</summary>
    public required int Status { get; init; }

    public required Outcome Outcome { get; init; }

    /// <summary>The rejection's policy, or the failure's source in lower case; empty when forwarded.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The rejection's or failure's stable code; empty when forwarded.</summary>
    public string Code { get; init; } = "";

    /// <summary>A refusal or failure's sentence; empty when forwarded.</summary>
    public string Detail { get; init; } = "";

    /// <summary>What policies in observe mode would have done.</summary>
    public IReadOnlyList<PolicyDecision> Observed { get; init; } = [];

    /// <summary>What the cache made of it.</summary>
    public CacheResult Cache { get; init; }

    /// <summary>The configuration decided against the upstream how long the answer is kept.</summary>
    public bool IsCacheOverridden { get; init; }

    /// <summary>Which place in line it had where it waited for a limit, from 1; 0 when it did not wait.</summary>
    public int QueuePosition { get; init; }

    /// <summary>What the provider's answer, the last one, meant when it refused; of APIs that learn.</summary>
    public ProviderSignal ProviderSignal { get; init; }

    /// <summary>Where a limit was to find what the exchange costs, and did not: the constant was charged.</summary>
    public UnreadCosts UnreadCosts { get; init; }

    /// <summary>How many purges of stored answers it was the reason of.</summary>
    public int CachePurges { get; init; }

    public int Attempts { get; init; }

    /// <summary>What it cost, where a price is known.</summary>
    public ExchangeCost Cost { get; init; } = ExchangeCost.None;

    /// <summary>It was sent to somebody who may have a price, and that is not known, or not all of it.</summary>
    public bool IsCostUnknown => Cost.Unknown > 0 || (Cost.Currency.Length == 0 && Direction == Direction.Egress && Attempts > 0);

    /// <summary>Attempts that did not do, and why the last of them was followed by none.</summary>
    public IReadOnlyList<RetryNote> Retries { get; init; } = [];

    /// <summary>Scheme, host and port of the last attempt; empty when there was none.</summary>
    public string Destination { get; init; } = "";

    /// <summary>Where that is, as configured; empty when nobody said so.</summary>
    public string Region { get; init; } = "";

    /// <summary>The name of the key that the last attempt carried, of an API that has several; else empty.</summary>
    public string Credential { get; init; } = "";

    public ProtocolVersion UpstreamProtocol { get; init; }

    /// <summary>By which fields the last attempt said who sends it.</summary>
    public AuthFields Auth { get; init; }

    public long RequestBytes { get; init; }

    public long ResponseBytes { get; init; }

    /// <summary>Time in queues of ours.</summary>
    public TimeSpan Queue { get; init; }

    /// <summary>From the complete head to the forwarder, less the queue.</summary>
    public TimeSpan Policies { get; init; }

    /// <summary>Opening an upstream connection; zero when a pooled one was used.</summary>
    public TimeSpan Connect { get; init; }

    /// <summary>From the forwarder to the first byte of the response head; zero when there was none.</summary>
    public TimeSpan TimeToFirstByte { get; init; }

    public TimeSpan Total { get; init; }

    /// <summary>The exchange's place in a distributed trace: what the client sent, or what the gateway began; <c>default</c> when there is none.</summary>
    public TraceContext Trace { get; init; }
}
