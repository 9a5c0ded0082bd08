using System.Globalization;
using Tidegate.Configuration;
using Tidegate.Exchanges;

namespace Tidegate.Testing;

/// <summary>
/// A provider made from its pack: it holds every call to all the limits that the pack publishes and to the windows of an account, tokens among them, counts in the plain way that its dialect
/// suggests, tells of it in the fields that the pack names, and remembers every call that went beyond. Its clock is its own.
/// </summary>
internal sealed class ProviderSimulator
{
    private readonly ProviderPackConfig _pack;
    private readonly ProviderAccount _account;
    private readonly TimeProvider _time;
    private readonly TimeSpan _clockSkew;
    private readonly List<ProviderMeter> _meters;

    public ProviderSimulator(ProviderPackConfig pack, ProviderAccount account, TimeProvider time, TimeSpan clockSkew)
    {
        _pack = pack;
        _account = account;
        _time = time;
        _clockSkew = clockSkew;
        var started = time.GetUtcNow();

        // What the account is told of in fields takes the place of the pack's limit about the same.
        _meters =
        [
            .. account.Windows.Select(window => new ProviderMeter(window, started)),
            .. pack.Limits.Select(limit => new ProviderWindow(limit, account.CallTime)).Where(window => account.Windows.All(own => own.Name != window.Name)).Select(window => new ProviderMeter(window, started)),
        ];
    }

    /// <summary>Calls that went beyond a window, by its name.</summary>
    public List<string> Violations { get; } = [];

    /// <summary>Calls that were served.</summary>
    public long Served { get; private set; }

    /// <summary>A call arrives after its way; the head of its answer stands on the exchange.</summary>
    public void Serve(Exchange exchange, ProviderUsage usage, TimeSpan way)
    {
        var now = _time.GetUtcNow() + way;
        var full = _meters.Find(meter => !meter.HasRoom(exchange, usage, now));
        foreach (var meter in full is null ? _meters : [])
        {
            meter.Take(exchange, usage, now);
        }

        Served += full is null ? 1 : 0;
        exchange.Answer(Outcome.Forwarded, full is null ? 200 : 429);
        exchange.ResponseHeaders.Add(KnownHeader.Date, (now + _clockSkew).ToString("R", CultureInfo.InvariantCulture));
        if (full is not null)
        {
            Violations.Add(full.Window.Name);
            exchange.ResponseHeaders.Add(KnownHeader.RetryAfter, "1");
        }

        Tell(exchange, now);
    }

    /// <summary>A served call's answer is over.</summary>
    public void Ended(Exchange exchange, ProviderUsage usage)
    {
        foreach (var meter in exchange.ResponseStatus == 200 ? _meters : [])
        {
            meter.Settle(exchange, usage, _time.GetUtcNow());
        }
    }

    /// <summary>How much of its allowance was used of the window of which most was.</summary>
    public (double Share, string Window) Utilisation(TimeSpan within) => _meters.Select(meter => (meter.Used / meter.Allowance(within), meter.Window.Name)).Max();

    private void Tell(Exchange exchange, DateTimeOffset now)
    {
        var fields = exchange.ResponseHeaders;
        foreach (var meter in _meters.Where(meter => meter.Window.Counting is ProviderCounting.Bucket or ProviderCounting.Window))
        {
            var (remaining, reset) = meter.Tell(exchange, now);
            var amount = ((long)meter.Window.Amount).ToString(CultureInfo.InvariantCulture);
            var left = remaining.ToString(CultureInfo.InvariantCulture);
            if (_pack.Windows.FirstOrDefault(window => window.Name == meter.Window.Name) is { } told)
            {
                Add(fields, told.Limit, amount);
                Add(fields, told.Remaining, left);
                Add(fields, told.UsedOfLimit, $"{(_pack.Name == "salesforce" ? "api-usage=" : "")}{(long)meter.Window.Amount - remaining}/{amount}");
                Add(fields, told.Reset, Reset(now + reset, reset));
                continue;
            }

            switch (_account.Fields)
            {
                case ProviderFields.Structured:
                    fields.Add("RateLimit-Policy", $"\"default\";q={amount};w={meter.Window.Period.TotalSeconds:0}");
                    fields.Add("RateLimit", $"\"default\";r={left};t={Math.Ceiling(reset.TotalSeconds):0}");
                    break;
                case ProviderFields.XRateLimit:
                    fields.Add("X-RateLimit-Limit", amount);
                    fields.Add("X-RateLimit-Remaining", left);
                    fields.Add("X-RateLimit-Reset", Reset(now + reset, reset));
                    if (_pack.Bucket?.Header is { } bucket)
                    {
                        fields.Add(bucket, "core");
                    }

                    break;
                case ProviderFields.ResetAfter:
                    fields.Add("X-RateLimit-Limit", amount);
                    fields.Add("X-RateLimit-Remaining", left);
                    fields.Add("X-RateLimit-Reset-After", reset.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture));
                    fields.Add(_pack.Bucket!.Header!, "abcd1234");
                    break;
                case ProviderFields.Named:
                    fields.Add($"x-ratelimit-limit-{meter.Window.Name}", amount);
                    fields.Add($"x-ratelimit-remaining-{meter.Window.Name}", left);
                    fields.Add($"x-ratelimit-reset-{meter.Window.Name}", Reset(now + reset, reset));
                    break;
            }
        }
    }

    private string Reset(DateTimeOffset at, TimeSpan after) => _account.Reset switch
    {
        ProviderReset.EpochSeconds => ((long)Math.Ceiling((at + _clockSkew - DateTimeOffset.UnixEpoch).TotalSeconds)).ToString(CultureInfo.InvariantCulture),
        ProviderReset.Rfc3339 => DateTimeOffset.FromUnixTimeSeconds((long)Math.Ceiling((at + _clockSkew - DateTimeOffset.UnixEpoch).TotalSeconds)).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
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

/// <summary>What one account may do beside what the pack publishes.</summary>
/// <param name="Windows">Its own; one with the name of a limit of the pack takes its place.</param>
/// <param name="Fields">Told so, where the pack has no fields of its own.</param>
/// <param name="Reset">With the reset so.</param>
internal sealed record ProviderAccount(IReadOnlyList<ProviderWindow> Windows, ProviderFields Fields = ProviderFields.None, ProviderReset Reset = ProviderReset.Seconds)
{
    /// <summary>How long an answer takes to its end, where calls in flight are counted.</summary>
    public TimeSpan CallTime { get; init; } = TimeSpan.FromSeconds(0.3);
}

internal enum ProviderFields
{
    None,
    Structured,
    XRateLimit,
    ResetAfter,

    /// <summary>With the window's name at the end.</summary>
    Named,
}

internal enum ProviderReset
{
    Seconds,
    EpochSeconds,
    Rfc3339,
    Duration,
}
