using System.Globalization;
using Tidegate.Configuration;
using Tidegate.Exchanges;

namespace Tidegate.Testing;

/// <summary>
/// A provider made from its pack: it counts in the plain way that its dialect suggests, tells of it in the fields that the pack names, and remembers every call
/// that went beyond. Its clock is its own.
/// </summary>
internal sealed class ProviderSimulator(ProviderPackConfig pack, ProviderAccount account, TimeProvider time, TimeSpan clockSkew)
{
    private readonly Queue<DateTimeOffset> _log = new();
    private DateTimeOffset _windowEnd = DateTimeOffset.MinValue;
    private DateTimeOffset _refilled = time.GetUtcNow();
    private double _level = account.Amount;
    private long _used;
    private int _inFlight;

    /// <summary>Calls that were served.</summary>
    public long Served { get; private set; }

    /// <summary>Calls that went beyond the account.</summary>
    public long Violations { get; private set; }

    /// <summary>A call arrives after its way; the answer stands on the exchange.</summary>
    public void Serve(Exchange exchange, TimeSpan way)
    {
        var now = time.GetUtcNow() + way;
        var isServed = TryCount(now);
        Served += isServed ? 1 : 0;
        Violations += isServed ? 0 : 1;
        _inFlight++;
        exchange.Answer(Outcome.Forwarded, isServed ? 200 : 429);
        exchange.ResponseHeaders.Add(KnownHeader.Date, (now + clockSkew).ToString("R", CultureInfo.InvariantCulture));
        if (!isServed)
        {
            exchange.ResponseHeaders.Add(KnownHeader.RetryAfter, "1");
        }

        Tell(exchange.ResponseHeaders, now);
    }

    /// <summary>A call's answer is over.</summary>
    public void Ended() => _inFlight--;

    /// <summary>What the account lets pass in a time.</summary>
    public double Allowance(TimeSpan within) => account.Counting switch
    {
        ProviderCounting.Bucket => account.Amount + (account.Amount * (within / account.Period)),
        ProviderCounting.Concurrency => account.Amount * (within / account.Period),
        _ => account.Amount * Math.Max(1, within / account.Period),
    };

    private bool TryCount(DateTimeOffset now)
    {
        switch (account.Counting)
        {
            case ProviderCounting.Bucket:
                _level = Math.Min(account.Amount, _level + (account.Amount * ((now - _refilled) / account.Period)));
                _refilled = now;
                if (_level < 1 - 1e-6)
                {
                    return false;
                }

                _level = Math.Max(0, _level - 1);
                return true;
            case ProviderCounting.Log:
                while (_log.TryPeek(out var oldest) && oldest <= now - account.Period)
                {
                    _log.Dequeue();
                }

                if (_log.Count >= account.Amount)
                {
                    return false;
                }

                _log.Enqueue(now);
                return true;
            case ProviderCounting.Concurrency:
                return _inFlight < account.Amount;
            default:
                if (now >= _windowEnd)
                {
                    _windowEnd = now + account.Period;
                    _used = 0;
                }

                return ++_used <= account.Amount;
        }
    }

    private void Tell(HeaderList fields, DateTimeOffset now)
    {
        var isBucket = account.Counting == ProviderCounting.Bucket;
        var remaining = isBucket ? (long)_level : Math.Max(0, account.Amount - _used);
        var untilFull = isBucket ? account.Period * ((account.Amount - _level) / account.Amount) : _windowEnd - now;
        if (account.Counting is ProviderCounting.Log or ProviderCounting.Concurrency)
        {
            return;
        }

        foreach (var window in pack.Windows.Where(window => window.Unit == Policies.Limits.Signals.SignalUnit.Requests).Take(1))
        {
            Add(fields, window.Limit, account.Amount.ToString(CultureInfo.InvariantCulture));
            Add(fields, window.Remaining, remaining.ToString(CultureInfo.InvariantCulture));
            Add(fields, window.UsedOfLimit, $"{(pack.Name == "salesforce" ? "api-usage=" : "")}{account.Amount - remaining}/{account.Amount}");
            Add(fields, window.Reset, Reset(now + untilFull, untilFull));
            return;
        }

        switch (account.Fields)
        {
            case ProviderFields.Structured:
                fields.Add("RateLimit-Policy", $"\"default\";q={account.Amount};w={account.Period.TotalSeconds:0}");
                fields.Add("RateLimit", $"\"default\";r={remaining};t={Math.Ceiling(untilFull.TotalSeconds):0}");
                break;
            case ProviderFields.XRateLimit:
                fields.Add("X-RateLimit-Limit", account.Amount.ToString(CultureInfo.InvariantCulture));
                fields.Add("X-RateLimit-Remaining", remaining.ToString(CultureInfo.InvariantCulture));
                fields.Add("X-RateLimit-Reset", Reset(now + untilFull, untilFull));
                if (pack.Bucket?.Header is { } bucket)
                {
                    fields.Add(bucket, "core");
                }

                break;
            case ProviderFields.ResetAfter:
                fields.Add("X-RateLimit-Limit", account.Amount.ToString(CultureInfo.InvariantCulture));
                fields.Add("X-RateLimit-Remaining", remaining.ToString(CultureInfo.InvariantCulture));
                fields.Add("X-RateLimit-Reset-After", untilFull.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture));
                fields.Add(pack.Bucket!.Header!, "abcd1234");
                break;
            case ProviderFields.Requests:
                fields.Add("x-ratelimit-limit-requests", account.Amount.ToString(CultureInfo.InvariantCulture));
                fields.Add("x-ratelimit-remaining-requests", remaining.ToString(CultureInfo.InvariantCulture));
                fields.Add("x-ratelimit-reset-requests", Reset(now + untilFull, untilFull));
                break;
        }
    }

    private string Reset(DateTimeOffset at, TimeSpan after) => account.Reset switch
    {
        ProviderReset.EpochSeconds => ((long)Math.Ceiling((at + clockSkew - DateTimeOffset.UnixEpoch).TotalSeconds)).ToString(CultureInfo.InvariantCulture),
        ProviderReset.Rfc3339 => DateTimeOffset.FromUnixTimeSeconds((long)Math.Ceiling((at + clockSkew - DateTimeOffset.UnixEpoch).TotalSeconds)).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        ProviderReset.Duration => $"{(int)after.TotalMinutes}m{Math.Ceiling((after.TotalSeconds - ((int)after.TotalMinutes * 60)) * 1000) / 1000:0.###}s",
        _ => Math.Ceiling(after.TotalSeconds).ToString("0", CultureInfo.InvariantCulture),
    };

    private static void Add(HeaderList fields, IReadOnlyList<string> names, string value)
    {
        foreach (var name in names)
        {
            fields.Add(name, value);
        }
    }
}

/// <summary>What one account may do.</summary>
/// <param name="Amount">So many calls.</param>
/// <param name="Period">In such a time; of concurrency, how long a call takes.</param>
/// <param name="Counting">Counted so.</param>
/// <param name="Fields">Told so, where the pack has no fields of its own.</param>
/// <param name="Reset">With the reset so.</param>
internal sealed record ProviderAccount(long Amount, TimeSpan Period, ProviderCounting Counting, ProviderFields Fields = ProviderFields.None, ProviderReset Reset = ProviderReset.Seconds);

internal enum ProviderCounting
{
    /// <summary>A window begins with the first call after the last one ended.</summary>
    Window,

    /// <summary>Every call of the last period is remembered.</summary>
    Log,

    /// <summary>A bucket that refills evenly.</summary>
    Bucket,

    /// <summary>So many at once.</summary>
    Concurrency,
}

internal enum ProviderFields
{
    None,
    Structured,
    XRateLimit,
    ResetAfter,
    Requests,
}

internal enum ProviderReset
{
    Seconds,
    EpochSeconds,
    Rfc3339,
    Duration,
}
