using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Shares;

namespace Tidegate.Policies.Limits;

/// <summary>A limit ready to be asked. Its counts are in the <see cref="LimitCells"/>, found by its scope and name, and so survive a reload.</summary>
internal sealed class Limit
{
    /// <summary>What one limit may tell apart. Nobody writes eight; <c>check</c> holds to it.</summary>
    public const int MaxParts = 8;

    private const int MaxPartsBytes = MaxParts * (1 + KeyPart.MaxBytes);

    // Of the parts of a key: apart from the one of limits, so that nobody can write parts that hash to a limit.
    private readonly UInt128 _partsSecret;
    private readonly KeyPart[] _per;
    private readonly byte[]? _requestCost;
    private readonly byte[]? _responseCost;
    private readonly UInt128 _onlyKey;
    private readonly SharedCount? _shares;

    // By the hash of their values; one table for each number of values. Null for a number that no override has, or where there are none.
    private readonly Dictionary<UInt128, Limit>?[]? _overrides;

    /// <param name="settings">What was written.</param>
    /// <param name="scope">The API, and the endpoint where the limit is written for one.</param>
    /// <param name="secret">Keys the hash, so that callers cannot make two keys meet.</param>
    /// <param name="time">The clock.</param>
    public Limit(LimitSettings settings, string scope, UInt128 secret, TimeProvider time)
    {
        Settings = settings;
        Scope = scope;
        _partsSecret = ~secret;
        _per = [.. settings.Per];
        _requestCost = settings.Cost.RequestHeader is { } request ? Encoding.ASCII.GetBytes(request) : null;
        _responseCost = settings.Cost.ResponseHeader is { } response ? Encoding.ASCII.GetBytes(response) : null;
        var ticksPerUtcTick = (double)time.TimestampFrequency / TimeSpan.TicksPerSecond;
        var periodTicks = (long)(settings.Period.Ticks * ticksPerUtcTick);
        Algorithm = settings.Kind switch
        {
            LimitKind.Rate => new SlidingWindow(settings.Amount, periodTicks, ticksPerUtcTick),
            LimitKind.TokenBucket => new TokenBucket(settings.Amount, periodTicks, settings.Burst, ticksPerUtcTick),
            LimitKind.Quota => new CalendarWindow(settings.Amount, settings.Calendar!, time),
            _ => new ConcurrencyLimit(settings.Amount),
        };
        _shares = settings.Shares is { } shares ? new SharedCount(settings, shares, Algorithm, periodTicks, ticksPerUtcTick, time) : null;
        _overrides = Overrides(settings, scope, secret, time);
        _onlyKey = Usable(SipHash.Compute(secret, Encoding.UTF8.GetBytes(string.Join('\0', scope, settings.Name, settings.Kind, Algorithm.Meaning))));
    }

    /// <summary>A limit that nobody wrote, with one count.</summary>
    public Limit(LimitSettings settings, UInt128 key, LimitAlgorithm algorithm)
    {
        Settings = settings;
        Scope = "";
        Algorithm = algorithm;
        _per = [];
        _onlyKey = key;
    }

    public LimitSettings Settings { get; }

    public string Scope { get; }

    /// <summary>How it counts for everybody together.</summary>
    public LimitAlgorithm Algorithm { get; }

    /// <summary>How many lines there are where it lets wait: one for each class that shares it.</summary>
    public int Lines => _shares?.Classes.Count ?? 1;

    /// <summary>Its count, when it has only one.</summary>
    public UInt128 OnlyKey => _onlyKey;

    /// <summary>Whether the exchange is of those that it limits.</summary>
    public bool IsFor(Exchange exchange) => Settings.IsFor is not { } isFor || isFor(exchange);

    /// <summary>Whether what was taken is given back when the answer ends.</summary>
    public bool IsHeld => Settings.Kind == LimitKind.Concurrency;

    /// <summary>Whether what the answer's end changes depends on when that is.</summary>
    public bool EndsByClock => IsSettled || (IsHeld && _shares is not null);

    /// <summary>Whether the answer, or the rest of the content, changes what an exchange costs.</summary>
    public bool IsSettled => Settings.Unit == LimitUnit.Bytes || _responseCost is not null || Settings.Cost.ResponseJson is not null || Settings.Cost.RequestJson is not null;

    /// <summary>Which of the classes that share the count the exchange belongs to; 0 when it is not shared.</summary>
    public int ShareOf(Exchange exchange) => _shares?.ClassOf(exchange) ?? 0;

    /// <summary>The classes that share the count; none when it is not shared.</summary>
    public IReadOnlyList<ShareClass> Shares => _shares?.Classes ?? [];

    /// <summary>How the limit counts for a class.</summary>
    public LimitAlgorithm AlgorithmOf(int share) => _shares is { } shares ? shares[share] : Algorithm;

    /// <summary>What <c>explain</c> says of a class; empty when the count is not shared.</summary>
    public string DescribeShare(int share) => _shares?.Classes[share].Text ?? "";

    /// <summary>Whether some of those whom it tells apart have another amount.</summary>
    public bool HasOverrides => _overrides is not null;

    /// <summary>It, and what it is for some.</summary>
    public IEnumerable<Limit> Variants => [this, .. _overrides?.OfType<Dictionary<UInt128, Limit>>().SelectMany(table => table.Values) ?? []];

    /// <summary>Which count the exchange belongs to.</summary>
    public UInt128 KeyOf(Exchange exchange)
    {
        Of(exchange, out var key);
        return key;
    }

    /// <summary>The limit as it is for an exchange, and which of its counts that belongs to.</summary>
    public Limit Of(Exchange exchange, out UInt128 key)
    {
        if (_per.Length == 0)
        {
            key = _onlyKey;
            return this;
        }

        var parts = PartsOf(exchange, out var other);
        var limit = other ?? this;
        key = Usable(limit._onlyKey ^ parts);
        return limit;
    }

    /// <summary>As <see cref="Of(Exchange, out UInt128)"/>, of an exchange that is over: the values of its parts, in their order, as its record has them.</summary>
    public Limit Of(IReadOnlyList<string> values, out UInt128 key)
    {
        Span<byte> parts = stackalloc byte[MaxPartsBytes];
        var (length, limit) = (0, this);
        for (var i = 0; i < _per.Length; i++)
        {
            var written = _per[i].Write(values[i], parts[(length + 1)..]);
            parts[length] = (byte)written;
            length += 1 + written;
            limit = _overrides?[i] is { } table && table.TryGetValue(SipHash.Compute(_partsSecret, parts[..length]), out var other) ? other : limit;
        }

        key = Usable(limit._onlyKey ^ SipHash.Compute(_partsSecret, parts[..length]));
        return limit;
    }

    /// <summary>As <see cref="KeyOf"/>, of an exchange whose key for another limit of the same parts is known.</summary>
    public UInt128 KeyLike(Limit other, UInt128 key) => Usable(_onlyKey ^ other._onlyKey ^ key);

    /// <summary>Whether it tells exchanges apart by the same as another limit.</summary>
    public bool IsAlike(Limit other) => _per.Length > 0 && _per.Length == other._per.Length && _per.Zip(other._per).All(pair => pair.First.IsSame(pair.Second));

    /// <summary>Whether content was to say what the exchange costs, and does not as far as it was read.</summary>
    public bool IsUnread(Exchange exchange, CostedRequest? content) =>
        Settings.Cost.RequestJson is { } pointer && !(_requestCost is not null && TryCost(exchange.RequestHeaders, _requestCost, out _)) && content?.TryGet(pointer, out _) != true;

    /// <summary>What the exchange is charged before anything is known of its answer.</summary>
    public long CostOf(Exchange exchange) => Settings.Unit switch
    {
        LimitUnit.Bytes => Math.Max(1, exchange.RequestBody.Length ?? 0),
        LimitUnit.Points when _requestCost is not null && TryCost(exchange.RequestHeaders, _requestCost, out var cost) => cost,
        LimitUnit.Points when Settings.Cost.RequestJson is { } pointer && exchange.RequestBody is CostedRequest content && content.TryGet(pointer, out var cost) => cost,
        LimitUnit.Points => Settings.Cost.Of(exchange.Method),
        _ => 1,
    };

    /// <summary>What the exchange has cost, once its answer is over.</summary>
    /// <param name="exchange">Whose answer.</param>
    /// <param name="charged">What it was charged before.</param>
    /// <param name="tap">What looked for the cost in the answer's content; null where nothing did.</param>
    /// <param name="content">What looked for it in the request's; null where nothing did.</param>
    public long TrueCostOf(Exchange exchange, long charged, CostTap? tap, CostedRequest? content) => Settings.Unit switch
    {
        LimitUnit.Bytes => exchange.RequestBodyBytes + exchange.ResponseBodyBytes,
        LimitUnit.Points when _responseCost is not null && TryCost(exchange.ResponseHeaders, _responseCost, out var cost) => cost,
        LimitUnit.Points when tap is { Cost: >= 0 } => tap.IsWhole ? tap.Cost : Math.Max(charged, tap.Cost),

        // What a caller says first is not cheaper because something larger follows behind what was read.
        LimitUnit.Points when !IsUnread(exchange, content) && content?.TryGet(Settings.Cost.RequestJson!, out var cost) == true => Math.Max(charged, cost),
        _ => charged,
    };

    // Zero is an empty place in the table.
    private static UInt128 Usable(UInt128 key) => key == 0 ? UInt128.One : key;

    private Dictionary<UInt128, Limit>?[]? Overrides(LimitSettings settings, string scope, UInt128 secret, TimeProvider time)
    {
        if (settings.Overrides.Count == 0)
        {
            return null;
        }

        var tables = new Dictionary<UInt128, Limit>?[_per.Length];
        Span<byte> values = stackalloc byte[MaxPartsBytes];
        foreach (var other in settings.Overrides)
        {
            var length = 0;
            for (var i = 0; i < other.Values.Count; i++)
            {
                _per[i].TryEncode(other.Values[i], values[(length + 1)..], out var written);
                values[length] = (byte)written;
                length += 1 + written;
            }

            var own = settings with
            {
                Overrides = [],
                Kind = other.Settings.Kind,
                Amount = other.Settings.Amount,
                Period = other.Settings.Period,
                Burst = other.Settings.Burst,
                Calendar = other.Settings.Calendar,
                Text = other.Settings.Text,
            };
            (tables[other.Values.Count - 1] ??= [])[SipHash.Compute(_partsSecret, values[..length])] = new Limit(own, scope, secret, time);
        }

        return tables;
    }

    /// <param name="exchange">Whose parts are hashed.</param>
    /// <param name="other">What holds for them instead; null when that is this limit.</param>
    [SkipLocalsInit]
    private UInt128 PartsOf(Exchange exchange, out Limit? other)
    {
        other = null;
        Span<byte> parts = stackalloc byte[MaxPartsBytes];
        var length = 0;
        for (var i = 0; i < _per.Length; i++)
        {
            // Length and value, so that two parts cannot borrow from each other.
            var written = _per[i].Write(exchange, parts[(length + 1)..]);
            parts[length] = (byte)written;
            length += 1 + written;

            // Those who are named more closely come later.
            if (_overrides?[i] is { } table && table.TryGetValue(SipHash.Compute(_partsSecret, parts[..length]), out var found))
            {
                other = found;
            }
        }

        return SipHash.Compute(_partsSecret, parts[..length]);
    }

    /// <summary>A whole number; anything else says nothing. Absurd ones are capped where sums stay safe.</summary>
    private static bool TryCost(HeaderList fields, byte[] name, out long cost)
    {
        cost = 0;
        if (!fields.TryGet(name, out var value) || !Utf8Parser.TryParse(value, out cost, out var consumed) || consumed != value.Length || cost < 0)
        {
            return false;
        }

        cost = Math.Min(cost, JsonCostScanner.MaxCost);
        return true;
    }
}
