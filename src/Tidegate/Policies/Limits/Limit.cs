using System.Buffers.Binary;
using System.Buffers.Text;
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

    private const int KeyBytes = 16 + (MaxParts * (1 + KeyPart.MaxBytes));

    private readonly UInt128 _secret;
    private readonly KeyPart[] _per;
    private readonly byte[]? _requestCost;
    private readonly byte[]? _responseCost;
    private readonly UInt128 _onlyKey;
    private readonly SharedCount? _shares;

    /// <param name="settings">What was written.</param>
    /// <param name="scope">The API, and the endpoint where the limit is written for one.</param>
    /// <param name="secret">Keys the hash, so that callers cannot make two keys meet.</param>
    /// <param name="time">The clock.</param>
    public Limit(LimitSettings settings, string scope, UInt128 secret, TimeProvider time)
    {
        Settings = settings;
        Scope = scope;
        _secret = secret;
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
        _onlyKey = Key(Encoding.UTF8.GetBytes(string.Join('\0', scope, settings.Name, settings.Kind, Algorithm.Meaning)));
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

    /// <summary>Whether what was taken is given back when the answer ends.</summary>
    public bool IsHeld => Settings.Kind == LimitKind.Concurrency;

    /// <summary>Whether the answer, or the rest of the content, changes what an exchange costs.</summary>
    public bool IsSettled => Settings.Unit == LimitUnit.Bytes || _responseCost is not null || Settings.Cost.ResponseJson is not null || Settings.Cost.RequestJson is not null;

    /// <summary>Which of the classes that share the count the exchange belongs to; 0 when it is not shared.</summary>
    public int ShareOf(Exchange exchange) => _shares?.ClassOf(exchange) ?? 0;

    /// <summary>How the limit counts for a class.</summary>
    public LimitAlgorithm AlgorithmOf(int share) => _shares is { } shares ? shares.Classes[share] : Algorithm;

    /// <summary>What <c>explain</c> says of a class; empty when the count is not shared.</summary>
    public string DescribeShare(int share) => _shares?.Classes[share].Text ?? "";

    /// <summary>Which count the exchange belongs to.</summary>
    public UInt128 KeyOf(Exchange exchange)
    {
        if (_per.Length == 0)
        {
            return _onlyKey;
        }

        Span<byte> key = stackalloc byte[KeyBytes];
        BinaryPrimitives.WriteUInt128LittleEndian(key, _onlyKey);
        var length = sizeof(ulong) * 2;
        foreach (var part in _per)
        {
            // Length and value, so that two parts cannot borrow from each other.
            var written = part.Write(exchange, key[(length + 1)..]);
            key[length] = (byte)written;
            length += 1 + written;
        }

        return Key(key[..length]);
    }

    /// <summary>Whether content was to say what the exchange costs, and does not as far as it was read.</summary>
    public bool IsUnread(Exchange exchange, CostedRequest? content) =>
        Settings.Cost.RequestJson is { } pointer && !(_requestCost is not null && TryCost(exchange.RequestHeaders, _requestCost, out _)) && content?.TryGet(pointer, out _) != true;

    /// <summary>What the exchange is charged before anything is known of its answer.</summary>
    public long CostOf(Exchange exchange) => Settings.Unit switch
    {
        LimitUnit.Bytes => Math.Max(1, exchange.RequestBody.Length ?? 0),
        LimitUnit.Points when _requestCost is not null && TryCost(exchange.RequestHeaders, _requestCost, out var cost) => cost,
        LimitUnit.Points when Settings.Cost.RequestJson is { } pointer && exchange.RequestBody is CostedRequest content && content.TryGet(pointer, out var cost) => cost,
        LimitUnit.Points => Settings.Cost.Constant,
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
        LimitUnit.Points when tap is { Cost: >= 0 } => tap.Cost,

        // What a caller says first is not cheaper because something larger follows behind what was read.
        LimitUnit.Points when !IsUnread(exchange, content) && content?.TryGet(Settings.Cost.RequestJson!, out var cost) == true => Math.Max(charged, cost),
        _ => charged,
    };

    // Zero is an empty place in the table.
    private UInt128 Key(ReadOnlySpan<byte> bytes) => SipHash.Compute(_secret, bytes) is var hash && hash == 0 ? UInt128.One : hash;

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
