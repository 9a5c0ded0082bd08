using System.Globalization;
using System.Text.RegularExpressions;
using Tidegate.Configuration;
using Tidegate.Exchanges;

namespace Tidegate.Testing;

/// <summary>One window of a simulated provider: what it counts, of which calls, and how.</summary>
internal sealed class ProviderMeter(ProviderWindow window, DateTimeOffset started)
{
    private readonly Dictionary<string, Count> _counts = [];

    public ProviderWindow Window => window;

    /// <summary>What was used in the end, of all counts.</summary>
    public double Used { get; private set; }

    /// <summary>How many counts there were.</summary>
    public int Counts => _counts.Count;

    /// <summary>Whether there is room for a call; takes nothing.</summary>
    public bool HasRoom(Exchange exchange, ProviderUsage usage, DateTimeOffset now)
    {
        if (!window.IsFor(exchange))
        {
            return true;
        }

        var (count, cost) = (Of(exchange, now), window.CostOf(exchange, usage));
        return window.Counting switch
        {
            ProviderCounting.Bucket => count.Level >= cost - 1e-6,
            ProviderCounting.Log => count.Logged + cost <= window.Amount,
            _ => count.Used + cost <= window.Amount,
        };
    }

    public void Take(Exchange exchange, ProviderUsage usage, DateTimeOffset now)
    {
        if (!window.IsFor(exchange))
        {
            return;
        }

        var (count, cost) = (Of(exchange, now), window.CostOf(exchange, usage));
        Used += cost;
        count.Used += cost;
        count.Level = Math.Max(0, count.Level - cost);
        if (window.Counting == ProviderCounting.Log)
        {
            count.Log.Enqueue((now, cost));
            count.Logged += cost;
        }
    }

    /// <summary>The answer is over: what was charged for what might have been used is given back as far as it was not.</summary>
    public void Settle(Exchange exchange, ProviderUsage usage, DateTimeOffset now)
    {
        if (!window.IsFor(exchange))
        {
            return;
        }

        var count = Of(exchange, now);
        if (window.Counting == ProviderCounting.Concurrency)
        {
            count.Used--;
            return;
        }

        var back = window.CostOf(exchange, usage) - window.TrueCostOf(exchange, usage);
        Used -= back;
        count.Used -= back;
        count.Level = Math.Min(window.Amount, count.Level + back);
    }

    /// <summary>What it tells: what is left, and how long until it is whole again.</summary>
    public (long Remaining, TimeSpan Reset) Tell(Exchange exchange, DateTimeOffset now)
    {
        var count = Of(exchange, now);
        return window.Counting == ProviderCounting.Bucket
            ? ((long)count.Level, window.Period * ((window.Amount - count.Level) / window.Amount))
            : ((long)Math.Max(0, window.Amount - count.Used), count.WindowEnd - now);
    }

    /// <summary>What one count lets pass in a time, and so all of them.</summary>
    public double Allowance(TimeSpan within) => Math.Max(1, Counts) * window.Counting switch
    {
        ProviderCounting.Bucket => window.Amount + (window.Amount * (within / window.Period)),
        ProviderCounting.Concurrency => window.Amount * (within / window.Period),
        _ => window.Amount * Math.Max(1, within / window.Period),
    };

    private Count Of(Exchange exchange, DateTimeOffset now)
    {
        var key = window.KeyOf(exchange);
        if (!_counts.TryGetValue(key, out var count))
        {
            _counts.Add(key, count = new Count { Level = window.Amount, Refilled = window.Counting == ProviderCounting.Bucket ? started : now });
        }

        if (window.Counting == ProviderCounting.Bucket && now > count.Refilled)
        {
            count.Level = Math.Min(window.Amount, count.Level + (window.Amount * ((now - count.Refilled) / window.Period)));
            count.Refilled = now;
        }

        while (count.Log.TryPeek(out var oldest) && oldest.At <= now - window.Period)
        {
            count.Logged -= count.Log.Dequeue().Cost;
        }

        if (window.Counting == ProviderCounting.Window && now >= count.WindowEnd)
        {
            count.WindowEnd = now + window.Period;
            count.Used = 0;
        }

        return count;
    }

    private sealed class Count
    {
        public readonly Queue<(DateTimeOffset At, double Cost)> Log = new();
        public double Logged;
        public double Level;
        public double Used;
        public DateTimeOffset Refilled;
        public DateTimeOffset WindowEnd = DateTimeOffset.MinValue;
    }
}

/// <summary>What one window of an account is.</summary>
/// <param name="Name">As the pack's window or limit is named.</param>
/// <param name="Amount">So much.</param>
/// <param name="Period">In such a time; of concurrency, how long a call takes.</param>
/// <param name="Counting">Counted so.</param>
/// <param name="Unit">Of what.</param>
internal sealed record ProviderWindow(string Name, double Amount, TimeSpan Period, ProviderCounting Counting, ProviderUnit Unit = ProviderUnit.Calls)
{
    private readonly Regex[] _paths = [];
    private readonly Regex[] _exceptPaths = [];
    private readonly ProviderLimitConfig? _limit;

    /// <summary>A limit of a pack, counted as strictly as a provider may: of every call of the last period. Read here anew from what is written, so that the gateway's reading is not its own judge.</summary>
    public ProviderWindow(ProviderLimitConfig limit, TimeSpan callTime)
        : this(limit.Name ?? (limit.Rate is not null ? "rate" : "concurrency"), AmountOf(limit), limit.Rate is { } rate ? PeriodOf(rate) : callTime, limit.Rate is not null ? ProviderCounting.Log : ProviderCounting.Concurrency)
    {
        _limit = limit;
        _paths = [.. limit.Path.Select(Pattern)];
        _exceptPaths = [.. limit.ExceptPath.Select(Pattern)];
    }

    public bool IsFor(Exchange exchange) => _limit is null
        || ((_paths.Length == 0 || _paths.Any(path => path.IsMatch(exchange.Target.Path)))
            && !_exceptPaths.Any(path => path.IsMatch(exchange.Target.Path))
            && (_limit.Methods.Count == 0 || _limit.Methods.Contains(exchange.Method)));

    public string KeyOf(Exchange exchange) => string.Join(' ', (_limit?.Per ?? []).Select(word => word switch
    {
        "method" => exchange.Method,
        "path" => exchange.Target.Path,
        "host" => exchange.Target.Host,
        _ => _paths.Select(path => path.Match(exchange.Target.Path)).First(match => match.Success).Groups[word["path:".Length..]].Value,
    }));

    public double CostOf(Exchange exchange, ProviderUsage usage) => Unit switch
    {
        ProviderUnit.InputTokens => usage.Input,
        ProviderUnit.OutputTokens => usage.MaxOutput,
        ProviderUnit.Tokens => usage.Input + usage.MaxOutput,
        _ => _limit?.Cost is not { } cost ? 1 : cost.ByMethod.FirstOrDefault(other => other.Methods.Contains(exchange.Method))?.Points ?? cost.Points ?? 1,
    };

    public double TrueCostOf(Exchange exchange, ProviderUsage usage) => Unit switch
    {
        ProviderUnit.OutputTokens => usage.Output,
        ProviderUnit.Tokens => usage.Input + usage.Output,
        _ => CostOf(exchange, usage),
    };

    private static double AmountOf(ProviderLimitConfig limit) =>
        limit.Rate is { } rate ? double.Parse(rate[..rate.IndexOf('/')].Replace(" points", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) : limit.Concurrency!.Value;

    private static TimeSpan PeriodOf(string rate)
    {
        var period = rate[(rate.IndexOf('/') + 1)..];
        var number = period.Length > 1 ? int.Parse(period[..^1], CultureInfo.InvariantCulture) : 1;
        return number * period[^1] switch { 's' => TimeSpan.FromSeconds(1), 'm' => TimeSpan.FromMinutes(1), 'h' => TimeSpan.FromHours(1), _ => TimeSpan.FromDays(1) };
    }

    private static Regex Pattern(string path)
    {
        var pattern = Regex.Escape(path).Replace("/\\*\\*", "(/.*)?", StringComparison.Ordinal).Replace("\\*", "[^/]+", StringComparison.Ordinal);
        return new Regex("^" + Regex.Replace(pattern, @"\\\{(\w+)\}", "(?<$1>[^/]+)") + "$");
    }
}

/// <summary>What one call uses.</summary>
/// <param name="Input">Tokens that it sends.</param>
/// <param name="MaxOutput">The most that it may get, charged when it arrives.</param>
/// <param name="Output">What it got, known when its answer is over.</param>
internal readonly record struct ProviderUsage(int Input, int MaxOutput, int Output);

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

internal enum ProviderUnit
{
    Calls,
    InputTokens,
    OutputTokens,
    Tokens,
}
