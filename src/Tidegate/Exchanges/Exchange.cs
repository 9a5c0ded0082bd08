namespace Tidegate.Exchanges;

/// <summary>
/// One request and what becomes of it. Made by the edge, carried through routing, policies and forwarding, read by the recorder.
/// Policies and the forwarder leave the answer here; only the gateway handler writes it to the client.
/// </summary>
public sealed class Exchange
{
    private List<PolicyDecision>? _observed;
    private List<RetryNote>? _retries;
    private IAnswerEnding[] _endings = [];
    private ExchangeBill? _ownBill;
    private BillTicket _bill;

    /// <summary>Unique within this process's life; see <see cref="ExchangeId"/> for the form that users see.</summary>
    public ulong Id { get; set; }

    /// <summary>The edge that the request came in on.</summary>
    public Direction Direction { get; set; }

    /// <summary>The connection that the request came in on.</summary>
    public required ClientConnection Connection { get; set; }

    /// <summary>What the client spoke.</summary>
    public ProtocolVersion ClientProtocol { get; set; }

    /// <summary>The client's address: the peer's, or what a trusted proxy said.</summary>
    public System.Net.IPAddress ClientAddress { get => field ?? Connection.PeerAddress; set; }

    /// <summary>The response goes here.</summary>
    public required ClientResponseWriter Client { get; set; }

    /// <summary>Cancelled when the client goes away, or the gateway stops waiting for the exchange.</summary>
    public CancellationToken Aborted { get; set; }

    // The request.

    /// <summary>The method as sent; methods are case-sensitive. Interned, so that comparing references is quick.</summary>
    public string Method { get; set; } = "";

    /// <summary>Where it goes. Empty (<see cref="NoTarget"/>) only when the edge refused the request before it knew.</summary>
    public ExchangeTarget Target { get; set; } = NoTarget;

    /// <summary>The client's fields without hop-by-hop ones; policies change them, the forwarder sends them.</summary>
    public HeaderList RequestHeaders { get; } = new();

    /// <summary>The client's content.</summary>
    public MessageBody RequestBody { get; set; } = MessageBody.Empty;

    /// <summary>The protocol that the client asks to switch to (<c>websocket</c>), lower case; null for a plain request.</summary>
    public string? UpgradeProtocol { get; set; }

    /// <summary>A CONNECT: the client wants bytes carried to <see cref="Target"/>'s authority.</summary>
    public bool IsTunnel { get; set; }

    /// <summary>
    /// In base-URL mode, what precedes the API's own path in the URL that the client wrote, for example <c>/stripe</c>: responses that
    /// point into the API are rewritten to it. Null otherwise.
    /// </summary>
    public string? BasePath { get; set; }

    /// <summary>In base-URL mode, scheme and authority under which the client reached us, for example <c>http://127.0.0.1:8080</c>.</summary>
    public string? BaseOrigin { get; set; }

    // What was found on the way.

    /// <summary>The API that the target belongs to; empty while none is known.</summary>
    public string ApiName { get; set; } = "";

    /// <summary>The endpoint within the API; empty when the API has none or none fits.</summary>
    public string EndpointName { get; set; } = "";

    /// <summary>Who is calling.</summary>
    public Consumer Consumer { get; set; } = Consumer.Anonymous;

    /// <summary>Its place in a distributed trace; <c>default</c> when it has none.</summary>
    public TraceContext Trace { get; set; }

    /// <summary>What policies in observe mode would have done.</summary>
    public IReadOnlyList<PolicyDecision> Observed => _observed ?? (IReadOnlyList<PolicyDecision>)[];

    /// <summary>Attempts that did not do.</summary>
    public IReadOnlyList<RetryNote> Retries => _retries ?? (IReadOnlyList<RetryNote>)[];

    // The answer.

    /// <summary>How it ended; <see cref="Exchanges.Outcome.Pending"/> until something was decided.</summary>
    public Outcome Outcome { get; private set; }

    /// <summary>Why it was refused, when it was.</summary>
    public Rejection? Rejection { get; private set; }

    /// <summary>Why it broke, when it did.</summary>
    public Failure? Failure { get; private set; }

    /// <summary>What the last upstream answer said about calling again.</summary>
    public ProviderSignal Signal { get; set; }

    /// <summary>That is about one of the provider's buckets alone: for everything else the key is as good as before.</summary>
    internal bool IsSignalOfBucket { get; set; }

    /// <summary>The final status that the client gets, or got; 0 while there is none.</summary>
    public int ResponseStatus { get; set; }

    /// <summary>The response's fields without hop-by-hop ones.</summary>
    public HeaderList ResponseHeaders { get; } = new();

    /// <summary>The response's content; read to its end by the gateway handler.</summary>
    public MessageBody ResponseBody { get; set; } = MessageBody.Empty;

    /// <summary>After a 101 or for a tunnel: the upstream's raw bytes.</summary>
    public Stream? UpstreamStream { get; set; }

    /// <summary>After a 101 or for a tunnel: how long neither side may be silent.</summary>
    public TimeSpan IdleTimeout { get; set; }

    /// <summary>A CONNECT that will be intercepted, if it is let through: it reaches no upstream, so what counts or judges calls lets it pass.</summary>
    public bool OpensTunnel { get; set; }

    /// <summary>For a CONNECT that is to be intercepted: the edge answers it and serves the decrypted connection itself.</summary>
    public bool Intercept { get; set; }

    /// <summary>For a tunnel: the client's first bytes must be a TLS ClientHello that names the target.</summary>
    public bool VerifyTunnelName { get; set; }

    /// <summary>What the forwarder keeps from one exchange to the next of this object. Not reset.</summary>
    internal object? ForwardingState { get; set; }

    /// <summary>What counts an answer's bytes, from one exchange to the next of this object. Not reset.</summary>
    internal object? CountingState { get; set; }

    /// <summary>What the cache keeps from one exchange to the next of this object. Not reset.</summary>
    internal object? CachingState { get; set; }

    /// <summary>What the cache made of it.</summary>
    public CacheResult Cache { get; set; }

    /// <summary>The cache only watches: the client is not told of it.</summary>
    public bool IsCacheObserved { get; set; }

    /// <summary>The configuration decided against the upstream how long the answer is kept.</summary>
    public bool IsCacheOverridden { get; set; }

    /// <summary>How many purges of stored answers it was the reason of.</summary>
    public int CachePurges { get; set; }

    // For the record.

    /// <summary>Which place in line it had where it waited for a limit, from 1; the largest where it did so more than once, 0 where it did not.</summary>
    public int QueuePosition { get; set; }

    /// <summary>Where a limit was to find what the exchange costs, and did not.</summary>
    public UnreadCosts UnreadCosts { get; set; }

    /// <summary>How many requests were sent upstream for this exchange.</summary>
    public int Attempts { get; set; }

    /// <summary>Something of the last attempt may have left for the upstream.</summary>
    internal bool WasSent { get; set; }

    /// <summary>And before that, on a kept connection that ended without a word: the upstream may have the request twice.</summary>
    internal bool WasSentBefore { get; set; }

    /// <summary>Where what it costs is added up: its own, or that of the exchange on whose behalf it was made.</summary>
    internal BillTicket Bill => _bill.Bill is not null ? _bill : _bill = (_ownBill ??= new ExchangeBill()).Begin();

    /// <summary>What it has cost so far.</summary>
    public ExchangeCost Cost => _bill.Read();

    /// <summary>Which of an upstream's destinations the last attempt went to; -1 when there are not several.</summary>
    internal int DestinationIndex { get; set; } = -1;

    /// <summary>The destination of the last attempt, as scheme, host and port; empty when none was tried.</summary>
    public string Destination { get; set; } = "";

    /// <summary>Where that is, as configured; empty when nobody said so.</summary>
    public string Region { get; set; } = "";

    /// <summary>Destinations that failed this exchange, as bits.</summary>
    internal ulong TriedDestinations { get; set; }

    /// <summary>The last attempt failed at its destination, and there is another that has not had the exchange yet.</summary>
    internal bool HasOtherDestination { get; set; }

    /// <summary>The account at the provider that the last attempt's destination is; empty when all of the API's are one.</summary>
    internal string DestinationAccount { get; set; } = "";

    /// <summary>The last attempt's destination is one of several, and is left out for a pause that it asks for: nobody else need wait.</summary>
    internal bool SetsDestinationAside { get; set; }

    /// <summary>The last attempt's destination is one of several, and is left out or on trial by now: its own breaker has taken it over.</summary>
    internal bool IsDestinationLeftOut { get; set; }

    /// <summary>The rules of retries allow another attempt after this one.</summary>
    internal bool MayBeRepeated { get; set; }

    /// <summary>
    /// What the last attempt failed at is for another destination to judge: this one is left out for it, or the exchange goes to the other next, and what becomes of it there is what counts. Where
    /// neither is so, the failure says something of the upstream as a whole.
    /// </summary>
    internal bool IsForAnotherDestination => HasOtherDestination && (IsDestinationLeftOut || MayBeRepeated);

    /// <summary>How long the last answer asked to stay away, in whatever way its provider says it; null when it did not, or nobody looked.</summary>
    internal TimeSpan? AskedPause { get; set; }

    /// <summary>Which of an API's several keys the last attempt carried; null when there are not several.</summary>
    internal ProviderKey? ProviderKey { get; set; }

    /// <summary>Keys that the provider did not take for this exchange, as bits.</summary>
    internal uint TriedKeys { get; set; }

    /// <summary>The last attempt was refused for its key, and there is another that has not had the exchange yet.</summary>
    internal bool HasOtherKey { get; set; }

    /// <summary>The last attempt was refused for its key.</summary>
    internal bool IsKeyRefused { get; set; }

    /// <summary>The key that was refused first for this exchange. Whether that was its fault shows when another is used.</summary>
    internal SuspectedKey SuspectedKey { get; set; }

    /// <summary>Which state of its upstream's circuit let the last attempt. Means something only while its answer lasts.</summary>
    internal long CircuitGeneration { get; set; }

    /// <summary>A further attempt goes to another destination, even if the last one's may still answer.</summary>
    internal bool AvoidsLastDestination { get; set; }

    /// <summary>What waits for room in a limit is refused instead: there is something better to do than to wait.</summary>
    internal bool MustNotQueue { get; set; }

    /// <summary>What the upstream spoke on the last attempt.</summary>
    public ProtocolVersion UpstreamProtocol { get; set; }

    /// <summary>By which fields the last attempt said who sends it.</summary>
    public AuthFields SentAuth { get; set; }

    /// <summary>Request content bytes read from the client.</summary>
    public long RequestBodyBytes { get; set; }

    /// <summary>Response content bytes handed to the client.</summary>
    public long ResponseBodyBytes { get; set; }

    /// <summary>Points in time. A field, so that the path can write it in place.</summary>
    public ExchangeTimings Timings;

    /// <summary>The target of a request that was refused before its target was known.</summary>
    public static ExchangeTarget NoTarget { get; } = new("http", "", 80, "", null);

    /// <summary>Ends the exchange with a refusal. The first refusal or failure stands.</summary>
    public void Reject(Rejection rejection)
    {
        if (Outcome is Outcome.Pending or Outcome.Forwarded)
        {
            Outcome = Outcome.Rejected;
            Rejection = rejection;
            ResponseStatus = rejection.Status;
        }
    }

    /// <summary>Ends the exchange with a failure. The first refusal or failure stands; an answer that was being passed on is no longer one.</summary>
    public void Fail(Failure failure)
    {
        if (Outcome is Outcome.Pending or Outcome.Forwarded or Outcome.ServedFromCache or Outcome.ServedFromFallback)
        {
            Outcome = Outcome.Failed;
            Rejection = null;
            Failure = failure;
        }
    }

    /// <summary>An upstream's answer is on the exchange.</summary>
    public void Answer(Outcome outcome, int status)
    {
        Outcome = outcome;
        ResponseStatus = status;
    }

    /// <summary>A fixed answer takes the place of a refusal or failure, which stays on the exchange for the record. The caller has disposed the response body.</summary>
    /// <param name="status">The fixed answer's.</param>
    /// <param name="unwanted">What was wrong with an answer that is thrown away; null where there was none.</param>
    public void AnswerInstead(int status, Failure? unwanted)
    {
        Outcome = Outcome.ServedFromFallback;
        Failure ??= unwanted;
        ResponseStatus = status;
        ResponseHeaders.Clear();
        ResponseBody = MessageBody.Empty;
    }

    /// <summary>Forgets an answer or failure so that another attempt can be made. The caller has disposed the response body.</summary>
    public void ForgetAnswer()
    {
        Outcome = Outcome.Pending;
        Rejection = null;
        Failure = null;
        Signal = ProviderSignal.None;
        ResponseStatus = 0;
        ResponseHeaders.Clear();
        ResponseBody = MessageBody.Empty;
        UpstreamStream = null;
        HasOtherDestination = false;
        IsDestinationLeftOut = false;
        HasOtherKey = false;
        IsKeyRefused = false;
        IsSignalOfBucket = false;
        AskedPause = null;
    }

    /// <summary>Notes an attempt that did not do.</summary>
    public void NoteRetry(RetryNote note) => (_retries ??= []).Add(note);

    /// <summary>Lets something last until the answer is over: handed to the client, broken, or thrown away for another attempt.</summary>
    public void WhenAnswerEnds(IAnswerEnding ending)
    {
        if (EndingCount == _endings.Length)
        {
            Array.Resize(ref _endings, Math.Max(4, EndingCount * 2));
        }

        _endings[EndingCount++] = ending;
    }

    /// <summary>How many such things there are. Whoever makes attempts remembers it, and after each calls <see cref="EndAnswer"/> with it.</summary>
    public int EndingCount { get; private set; }

    /// <summary>The answer is over for everything that was added since there were so many, the last first.</summary>
    public void EndAnswer(int downTo)
    {
        while (EndingCount > downTo)
        {
            var ending = _endings[--EndingCount];
            _endings[EndingCount] = null!;
            ending.AnswerEnded(this);
        }
    }

    /// <summary>A policy in observe mode notes what it would have done.</summary>
    public void Observe(string policy, Rejection rejection) => Observe(policy, rejection.Code);

    /// <summary>The same for one that would have done something else than refuse.</summary>
    public void Observe(string policy, string code) => (_observed ??= []).Add(new PolicyDecision(policy, code));

    /// <summary>Becomes a request like another exchange's, with an answer of its own.</summary>
    internal void CopyRequest(Exchange other, CancellationToken aborted)
    {
        Id = other.Id;
        Direction = other.Direction;
        ClientProtocol = other.ClientProtocol;
        ClientAddress = other.ClientAddress;
        Aborted = aborted;
        Method = other.Method;
        Target = other.Target;
        RequestHeaders.AddAll(other.RequestHeaders);
        RequestBody = other.RequestBody;
        BasePath = other.BasePath;
        BaseOrigin = other.BaseOrigin;
        ApiName = other.ApiName;
        EndpointName = other.EndpointName;
        Consumer = other.Consumer;
        Trace = other.Trace;
        _bill = other.Bill;
    }

    /// <summary>What it costs from here on is on a bill of its own: no client asked for it.</summary>
    internal void LeaveBill() => _bill = default;

    /// <summary>Another attempt for the same call begins where one before it left off.</summary>
    internal void CopyTried(Exchange other)
    {
        DestinationIndex = other.DestinationIndex;
        TriedDestinations = other.TriedDestinations;
        TriedKeys = other.TriedKeys;
        SuspectedKey = other.SuspectedKey;
    }

    /// <summary>The answer, refusal or failure of an attempt that was made on this one's behalf, and its way. Its content stays with it.</summary>
    internal void TakeAttempt(Exchange attempt)
    {
        CopyTried(attempt);
        Attempts += attempt.Attempts;
        Destination = attempt.Destination;
        Region = attempt.Region;
        ProviderKey = attempt.ProviderKey;
        UpstreamProtocol = attempt.UpstreamProtocol;
        SentAuth = attempt.SentAuth;
        Signal = attempt.Signal;
        UnreadCosts |= attempt.UnreadCosts;
        HasOtherDestination = attempt.HasOtherDestination;
        HasOtherKey = attempt.HasOtherKey;
        IsKeyRefused = attempt.IsKeyRefused;
        IsSignalOfBucket = attempt.IsSignalOfBucket;
        if (Timings.Forwarded == 0)
        {
            Timings.Forwarded = attempt.Timings.Forwarded;
            Timings.QueuedBefore = Timings.Queued + attempt.Timings.QueuedBefore;
        }

        Timings.Queued += attempt.Timings.Queued;
        QueuePosition = Math.Max(QueuePosition, attempt.QueuePosition);
        Timings.Connecting = attempt.Timings.Connecting;
        Timings.ResponseStarted = attempt.Timings.ResponseStarted;
        TakeObserved(attempt);
        if (attempt.Rejection is { } rejection)
        {
            Reject(rejection);
        }
        else if (attempt.Failure is { } failure)
        {
            Fail(failure);
        }
        else if (attempt.Outcome == Outcome.Forwarded)
        {
            ResponseHeaders.AddAll(attempt.ResponseHeaders);
            Answer(Outcome.Forwarded, attempt.ResponseStatus);
        }
    }

    /// <summary>What would have been done about an exchange that was made on this one's behalf, and is over.</summary>
    internal void TakeObserved(Exchange other)
    {
        if (other._observed is { } observed)
        {
            (_observed ??= []).AddRange(observed);
        }
    }

    /// <summary>Takes over, for the record, the way that an exchange went on this one's behalf.</summary>
    internal void TakeOver(Exchange other)
    {
        Attempts = other.Attempts;
        Signal = other.Signal;
        UnreadCosts |= other.UnreadCosts;
        QueuePosition = Math.Max(QueuePosition, other.QueuePosition);
        Destination = other.Destination;
        Region = other.Region;
        ProviderKey = other.ProviderKey;
        UpstreamProtocol = other.UpstreamProtocol;
        SentAuth = other.SentAuth;
        Timings.Forwarded = other.Timings.Forwarded;
        Timings.Queued += other.Timings.Queued;
        Timings.Connecting = other.Timings.Connecting;
        Timings.ResponseStarted = other.Timings.ResponseStarted;
        TakeObserved(other);
        if (other._retries is { } retries)
        {
            (_retries ??= []).AddRange(retries);
        }
    }

    /// <summary>Makes the object ready for the next request on the same connection; keeps its memory.</summary>
    public void Reset()
    {
        ForgetAnswer();
        Cache = CacheResult.None;
        IsCacheObserved = false;
        IsCacheOverridden = false;
        CachePurges = 0;
        Id = 0;
        ClientAddress = null!;
        Method = "";
        Target = NoTarget;
        RequestHeaders.Clear();
        RequestBody = MessageBody.Empty;
        UpgradeProtocol = null;
        IsTunnel = false;
        BasePath = null;
        BaseOrigin = null;
        ApiName = "";
        EndpointName = "";
        Consumer = Consumer.Anonymous;
        Trace = default;
        _observed = null;
        _retries = null;
        OpensTunnel = false;
        Intercept = false;
        VerifyTunnelName = false;
        IdleTimeout = default;
        UnreadCosts = UnreadCosts.None;
        QueuePosition = 0;
        _ownBill?.End();
        _bill = default;
        Attempts = 0;
        WasSent = false;
        WasSentBefore = false;
        Destination = "";
        Region = "";
        DestinationIndex = -1;
        DestinationAccount = "";
        SetsDestinationAside = false;
        TriedDestinations = 0;
        ProviderKey = null;
        TriedKeys = 0;
        SuspectedKey = default;
        MustNotQueue = false;
        MayBeRepeated = false;
        CircuitGeneration = 0;
        AvoidsLastDestination = false;
        UpstreamProtocol = ProtocolVersion.None;
        SentAuth = AuthFields.None;
        RequestBodyBytes = 0;
        ResponseBodyBytes = 0;
        Timings = default;
    }
}
