using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits;

/// <summary>A limit ready to be asked. Its counts are in the <see cref="LimitCells"/>, found by its scope and name, and so survive a reload.</summary>
internal sealed class Limit
{
    private const int KeyBytes = 256;
    private const int MaxKeyBytes = 64 * 1024;

    private readonly UInt128 _secret;
    private readonly byte[] _identity;
    private readonly byte[]? _requestCost;
    private readonly byte[]? _responseCost;
    private readonly UInt128 _onlyKey;

    /// <param name="settings">What was written.</param>
    /// <param name="scope">The API, and the endpoint where the limit is written for one.</param>
    /// <param name="secret">Keys the hash, so that callers cannot make two keys meet.</param>
    /// <param name="time">The clock.</param>
    public Limit(LimitSettings settings, string scope, UInt128 secret, TimeProvider time)
    {
        Settings = settings;
        Scope = scope;
        _secret = secret;
        _identity = Encoding.UTF8.GetBytes(scope + '\0' + settings.Name + '\0' + settings.Kind + '\0');
        _requestCost = settings.Cost.RequestHeader is { } request ? Encoding.ASCII.GetBytes(request) : null;
        _responseCost = settings.Cost.ResponseHeader is { } response ? Encoding.ASCII.GetBytes(response) : null;
        _onlyKey = SipHash.Compute(secret, _identity);
        var ticksPerUtcTick = (double)time.TimestampFrequency / TimeSpan.TicksPerSecond;
        var periodTicks = (long)(settings.Period.Ticks * ticksPerUtcTick);
        Algorithm = settings.Kind switch
        {
            LimitKind.Rate => new SlidingWindow(settings.Amount, periodTicks, ticksPerUtcTick),
            LimitKind.TokenBucket => new TokenBucket(settings.Amount, periodTicks, settings.Burst, ticksPerUtcTick),
            LimitKind.Quota => new CalendarWindow(settings.Amount, settings.Calendar!, time),
            _ => new ConcurrencyLimit(settings.Amount),
        };
    }

    /// <summary>A limit that nobody wrote, with one count.</summary>
    public Limit(LimitSettings settings, UInt128 key, LimitAlgorithm algorithm)
    {
        Settings = settings;
        Scope = "";
        Algorithm = algorithm;
        _identity = [];
        _onlyKey = key;
    }

    public LimitSettings Settings { get; }

    public string Scope { get; }

    public LimitAlgorithm Algorithm { get; }

    /// <summary>Its count, when it has only one.</summary>
    public UInt128 OnlyKey => _onlyKey;

    /// <summary>Whether what was taken is given back when the answer ends.</summary>
    public bool IsHeld => Settings.Kind == LimitKind.Concurrency;

    /// <summary>Whether the answer changes what an exchange costs.</summary>
    public bool IsSettled => Settings.Unit == LimitUnit.Bytes || _responseCost is not null;

    /// <summary>Which count the exchange belongs to.</summary>
    public UInt128 KeyOf(Exchange exchange)
    {
        if (Settings.Per.Count == 0)
        {
            return _onlyKey;
        }

        Span<byte> key = stackalloc byte[KeyBytes];
        if (TryWriteKey(exchange, key, out var hash))
        {
            return hash;
        }

        // A long field value. No head is longer than the bound, so it fits now.
        var rented = ArrayPool<byte>.Shared.Rent(MaxKeyBytes);
        TryWriteKey(exchange, rented, out hash);
        ArrayPool<byte>.Shared.Return(rented);
        return hash;
    }

    /// <summary>What the exchange is charged before anything is known of its answer.</summary>
    public long CostOf(Exchange exchange) => Settings.Unit switch
    {
        LimitUnit.Bytes => Math.Max(1, exchange.RequestBody.Length ?? 0),
        LimitUnit.Points => _requestCost is not null && TryCost(exchange.RequestHeaders, _requestCost, out var cost) ? cost : Settings.Cost.Constant,
        _ => 1,
    };

    /// <summary>What the exchange has cost, once its answer is over.</summary>
    public long TrueCostOf(Exchange exchange, long charged) => Settings.Unit switch
    {
        LimitUnit.Bytes => exchange.RequestBodyBytes + exchange.ResponseBodyBytes,
        LimitUnit.Points when _responseCost is not null && TryCost(exchange.ResponseHeaders, _responseCost, out var cost) => cost,
        _ => charged,
    };

    private bool TryWriteKey(Exchange exchange, Span<byte> key, out UInt128 hash)
    {
        hash = default;
        _identity.CopyTo(key);
        var length = _identity.Length;
        foreach (var part in (KeyPart[])Settings.Per)
        {
            // Length and value, so that two parts cannot borrow from each other.
            if (key.Length - length < sizeof(ushort) || part.Write(exchange, key[(length + sizeof(ushort))..]) is not (>= 0 and var written))
            {
                return false;
            }

            System.Buffers.Binary.BinaryPrimitives.WriteUInt16LittleEndian(key[length..], (ushort)written);
            length += sizeof(ushort) + written;
        }

        hash = SipHash.Compute(_secret, key[..length]);
        return true;
    }

    /// <summary>A whole number; anything else says nothing. Absurd ones are capped where sums stay safe.</summary>
    private static bool TryCost(HeaderList fields, byte[] name, out long cost)
    {
        const long MaxCost = 1L << 40;
        cost = 0;
        if (!fields.TryGet(name, out var value) || !Utf8Parser.TryParse(value, out cost, out var consumed) || consumed != value.Length || cost < 0)
        {
            return false;
        }

        cost = Math.Min(cost, MaxCost);
        return true;
    }
}
