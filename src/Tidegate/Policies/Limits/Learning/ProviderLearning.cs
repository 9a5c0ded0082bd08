using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Signals;

namespace Tidegate.Policies.Limits.Learning;

/// <summary>Holds an API's attempts to what its provider says, and reads what it says next.</summary>
internal sealed class ProviderLearning(LearningSettings settings, ProviderMemory memory, LimitStore store)
{
    // What a refusal without a time is worth: short at first, because most are over within a second; a minute at most, because nobody would notice that it is over.
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(1);

    // Quotas end with a day or a month: asking once a minute and then every quarter of an hour costs nothing and sees a raised quota soon.
    private static readonly TimeSpan FirstQuotaBackoff = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestQuotaBackoff = TimeSpan.FromMinutes(15);

    public LearningSettings Settings => settings;

    public ProviderMemory Memory => memory;

    /// <summary>The limits that hold for an exchange beside the configured ones.</summary>
    public LearnedLimits For(Exchange exchange)
    {
        var account = AccountOf(exchange);
        return new LearnedLimits(settings, memory, memory.ScopeOf(account, settings, exchange), settings.Buckets is { } rule ? RouteOf(exchange, rule.PathSegments, rule.ByMethod, account) : 0, settings.Dialect.ContentOf(exchange.Target.Path));
    }

    /// <summary>One line for <c>explain</c>.</summary>
    public string Explain()
    {
        var cooling = memory.CoolingSeconds();
        return (settings.Provider is { } provider ? $"learns from {provider}'s answers" : "learns from answers")
            + (settings.PerCredential ? " for each credential" : "")
            + (settings.PerDestination ? $"{(settings.PerCredential ? " and" : " for each")} destination's account" : "")
            + (settings.WhenExceeded == WhenExceeded.Queue ? $", queues up to {settings.MaxWait.TotalSeconds:0.###} s" : "")
            + (settings.Mode == PolicyMode.Observe ? ", observe" : "")
            + (cooling > 0 ? $": cools down for {cooling:0.#} s" : "");
    }

    /// <summary>Whether the content of this answer would say more than its head.</summary>
    public bool NeedsContent(Exchange exchange)
    {
        if (!settings.Dialect.ReadsContent || exchange.Outcome != Outcome.Forwarded)
        {
            return false;
        }

        foreach (var error in settings.Dialect.Errors)
        {
            if (error.NeedsContent(exchange.ResponseStatus, exchange.ResponseHeaders, exchange.Target.Path))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>An exchange that passed was answered, or broke.</summary>
    /// <param name="exchange">With the answer's head, if there is one.</param>
    /// <param name="lease">What it had taken.</param>
    /// <param name="content">The beginning of the answer's content, where it was needed.</param>
    /// <param name="sent">When it was sent, as a timestamp.</param>
    /// <param name="queue">Where others wait for what its content may tell of; null where nobody waits.</param>
    public void Learn(Exchange exchange, LimitLease lease, ReadOnlySpan<byte> content, long sent, LimitQueue? queue)
    {
        var learned = lease.Learned!.Value;
        var now = store.Time.GetTimestamp();
        ProviderReading reading = default;
        if (exchange.Outcome == Outcome.Forwarded && !exchange.IsTunnel)
        {
            SignalReader.Read(exchange.ResponseHeaders, exchange.ResponseStatus, settings.Dialect, store.Time.GetUtcNow(), out reading);
            ErrorContent.Read(content, exchange.ResponseStatus, exchange.ResponseHeaders, exchange.Target.Path, settings.Dialect, ref reading);
        }

        var isTold = learned.Content is { } told && TryFollow(exchange, learned.Wide, told, lease, sent, queue);

        exchange.Signal = reading.Kind;
        memory.CountIgnored(reading.Ignored);
        var named = settings.Buckets is { } rule && (reading.Bucket != 0 || rule.IsByPath) ? memory.Route(learned.Route, BucketKey(exchange, rule, reading.Bucket), settings, exchange) : null;
        LearnWindows(learned.Wide, lease, in reading, tells: named is null, absent: 1, sent, now, learned.Content, isTold);
        if (named is not null)
        {
            LearnWindows(named, lease, in reading, tells: true, absent: 0, sent, now);
        }

        if (lease.Narrow is { } narrow && narrow != named)
        {
            LearnWindows(narrow, lease, in reading, tells: false, absent: 0, sent, now);
        }

        learned.Wide.Ended(learned.Content);
        if (exchange.Outcome == Outcome.Forwarded && reading.Kind == ProviderSignal.None && exchange.ResponseStatus < 400)
        {
            learned.Wide.Succeeded();
            named?.Succeeded();
        }

        if (reading.Kind != ProviderSignal.None)
        {
            memory.Count(reading.Kind);
            var isBuckets = named is not null && settings.Buckets!.CoolsAlone && !reading.IsGlobal;
            exchange.IsSignalOfBucket = isBuckets && reading.Kind is not (ProviderSignal.Billing or ProviderSignal.Permanent);
            exchange.AskedPause = reading.HasRetryAfter ? reading.RetryAfter : null;

            // What one of several destinations cannot serve the others can: it alone is left out.
            if (reading.Kind != ProviderSignal.Overload || !exchange.SetsDestinationAside)
            {
                Cool(isBuckets ? named! : learned.Wide, in reading, now);
            }
        }
    }

    /// <summary>An exchange that passed was not sent. What it had taken was given back; a window that became known meanwhile had counted it all the same.</summary>
    public static void NotSent(LimitLease lease)
    {
        var (scope, content) = (lease.Learned!.Value.Wide, lease.Learned.Value.Content);
        for (var i = 1; i < scope.Count; i++)
        {
            // Of another kind of calls it has taken nothing.
            if (ReferenceEquals(scope.Window(i).Content, content))
            {
                scope.Window(i).NotSent(lease.CostIn(scope.Window(i), absent: 1));
            }
        }

        scope.Ended(content);
    }

    /// <param name="scope">Whose windows.</param>
    /// <param name="lease">What the exchange had taken.</param>
    /// <param name="reading">What its answer says.</param>
    /// <param name="tells">The answer is about this scope.</param>
    /// <param name="absent">What an exchange that passed before a window was known counts for there.</param>
    /// <param name="sent">When the exchange was sent.</param>
    /// <param name="now">A timestamp.</param>
    /// <param name="content">Where the content of such calls tells of their window; null where fields do.</param>
    /// <param name="isTold">That is looked for while the content passes.</param>
    private static void LearnWindows(LearnedScope scope, LimitLease lease, in ProviderReading reading, bool tells, long absent, long sent, long now, WindowContent? content = null, bool isTold = false)
    {
        for (var i = 0; tells && i < reading.Count; i++)
        {
            if (reading.Windows[i].IsUsable)
            {
                scope.WindowOf(reading.Windows[i].Name);
            }
        }

        for (var i = 1; i < scope.Count; i++)
        {
            var window = scope.Window(i);
            var isOurs = ReferenceEquals(window.Content, content);
            if (isOurs && isTold)
            {
                continue;
            }

            var cost = isOurs ? lease.CostIn(window, absent) : 0;
            var told = tells ? IndexOf(scope.NameOf(i), in reading) : -1;
            if (told >= 0)
            {
                window.Learn(in reading.Windows[told], cost, sent, now);
            }
            else if (cost > 0)
            {
                window.Answered(cost, now);
            }
        }
    }

    /// <summary>Looks in the answer's content for what is left of its window.</summary>
    private bool TryFollow(Exchange exchange, LearnedScope scope, WindowContent content, LimitLease lease, long sent, LimitQueue? queue)
    {
        if (exchange.Outcome != Outcome.Forwarded || exchange.IsTunnel || scope.WindowOf(content.Name, content) is not (> 0 and var index))
        {
            return false;
        }

        var window = scope.Window(index);
        return ContentSignal.TryPut(exchange, window, scope.Limits(settings)[index].OnlyKey, lease.CostIn(window, absent: 1), sent, store.Time, queue);
    }

    private static int IndexOf(ulong name, in ProviderReading reading)
    {
        for (var i = 0; i < reading.Count; i++)
        {
            if (reading.Windows[i].Name == name && reading.Windows[i].IsUsable)
            {
                return i;
            }
        }

        return -1;
    }

    private static void Cool(LearnedScope scope, in ProviderReading reading, long now)
    {
        switch (reading.Kind)
        {
            case ProviderSignal.Billing or ProviderSignal.Permanent:
                // No wait helps, and the next call may be another that passes.
                return;
            case var _ when reading.HasRetryAfter:
                scope.Cool(reading.RetryAfter, now);
                return;
            case ProviderSignal.Overload:
                // Without a time it may be one instance of many: that is for breakers.
                return;
            case ProviderSignal.Quota when !HasEnd(in reading):
                scope.Cool(scope.NextBackoff(FirstQuotaBackoff, LongestQuotaBackoff, now), now);
                return;
            case ProviderSignal.Throttle or ProviderSignal.Concurrency when !HasEnd(in reading):
                scope.Cool(scope.NextBackoff(FirstBackoff, LongestBackoff, now), now);
                return;
        }
    }

    /// <summary>A window of which nothing is left says itself until when.</summary>
    private static bool HasEnd(in ProviderReading reading)
    {
        for (var i = 0; i < reading.Count; i++)
        {
            if (reading.Windows[i] is { Remaining: 0, IsUsable: true, ResetTicks: > 0 })
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The same bucket of two credentials, or of two channels, is two counts.</summary>
    private UInt128 BucketKey(Exchange exchange, BucketRule rule, ulong bucket) =>
        RouteOf(exchange, rule.IsByPath ? rule.PathSegments : rule.OwnerSegments, rule.IsByPath && rule.ByMethod, AccountOf(exchange)) ^ new UInt128(bucket, ~bucket);

    /// <summary>Who the provider takes the caller for; 0 when all are one.</summary>
    private UInt128 AccountOf(Exchange exchange)
    {
        var account = settings.PerCredential ? CredentialOf(exchange) : 0;
        if (exchange.DestinationAccount is { Length: > 0 } destination)
        {
            account = SipHash.Compute(store.Secret ^ account, System.Runtime.InteropServices.MemoryMarshal.AsBytes(destination.AsSpan()));
        }

        return settings.PerHost ? SipHash.Compute(store.Secret ^ account, System.Runtime.InteropServices.MemoryMarshal.AsBytes(exchange.Target.Host.AsSpan())) : account;
    }

    private UInt128 CredentialOf(Exchange exchange)
    {
        if (exchange.ProviderKey is { } key)
        {
            // The same field every time, whatever its name is; and a key whose value is changed has other counts.
            Span<byte> identity = stackalloc byte[16];
            System.Buffers.Binary.BinaryPrimitives.WriteUInt128LittleEndian(identity, key.Identity);
            return SipHash.Compute(store.Secret, identity);
        }

        const int MaxBytes = 4096;
        if (!exchange.RequestHeaders.TryGet(KnownHeader.Authorization, out var value) && !exchange.RequestHeaders.TryGet(KnownHeader.XApiKey, out value))
        {
            return 0;
        }

        var lasting = Lasting(value);
        return SipHash.Compute(store.Secret, lasting[..Math.Min(lasting.Length, MaxBytes)]);
    }

    /// <summary>Of a signature, whose it is: the rest is another with every request (AWS Signature Version 4, OAuth 1.0).</summary>
    private static ReadOnlySpan<byte> Lasting(ReadOnlySpan<byte> value)
    {
        if (value.IndexOf("Credential="u8) is >= 0 and var credential)
        {
            var rest = value[credential..];
            return rest.IndexOfAny("/,"u8) is >= 0 and var end ? rest[..end] : rest;
        }

        if (value.IndexOf("oauth_consumer_key="u8) is >= 0 and var key)
        {
            var rest = value[key..];
            return rest.IndexOf((byte)',') is >= 0 and var end ? rest[..end] : rest;
        }

        return value;
    }

    private UInt128 RouteOf(Exchange exchange, int pathSegments, bool byMethod, UInt128 credential)
    {
        var path = exchange.Target.Path.AsSpan();
        var end = 0;
        for (var segments = 0; segments < pathSegments && end < path.Length; segments++)
        {
            var slash = path[(end + 1)..].IndexOf('/');
            end = slash < 0 ? path.Length : end + 1 + slash;
        }

        const int MaxBytes = 512;
        Span<byte> bytes = stackalloc byte[MaxBytes];
        var length = byMethod && Encoding.UTF8.TryGetBytes(exchange.Method, bytes, out var written) ? written : 0;
        length += Encoding.UTF8.TryGetBytes(path[..Math.Min(end, MaxBytes / 4)], bytes[length..], out written) ? written : 0;
        return SipHash.Compute(store.Secret ^ credential, bytes[..length]);
    }
}

/// <summary>What holds for one exchange beside the configured limits.</summary>
internal readonly struct LearnedLimits(LearningSettings settings, ProviderMemory memory, LearnedScope wide, UInt128 route, WindowContent? content)
{
    public LearningSettings Settings => settings;

    public LearnedScope Wide => wide;

    public UInt128 Route => route;

    /// <summary>The window that such calls are counted in and that content tells of; null where fields do.</summary>
    public WindowContent? Content => content;

    /// <summary>The bucket, when the provider has buckets and one is known by now.</summary>
    public LearnedScope? Narrow => settings.Buckets is null ? null : memory.BucketOf(route);
}
