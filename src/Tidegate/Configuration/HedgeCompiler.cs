using System.Globalization;
using Tidegate.Policies;
using Tidegate.Policies.Hedge;

namespace Tidegate.Configuration;

/// <summary>Compiles when a request is sent a second time.</summary>
/// <param name="positions">Where everything stands.</param>
/// <param name="problems">What is wrong.</param>
/// <param name="services">What outlives a configuration.</param>
/// <param name="effects">What is done to it when the configuration is in force.</param>
internal sealed class HedgeCompiler(ConfigPositions positions, List<ConfigProblem> problems, CompilerServices services, List<Action> effects)
{
    public const string DefaultAfter = "p95";

    // Beside three more requests a fifth finds nobody who is faster.
    private const int MaxHedges = 3;

    private const double LowestPercent = 50;
    private const double HighestPercent = 99.9;

    public IEnumerable<IPolicy> Compile(ApiConfig api, EndpointConfig? endpoint)
    {
        if ((endpoint?.Hedge ?? api.Hedge) is not { } config)
        {
            yield break;
        }

        if (config.Max > MaxHedges)
        {
            Problem(config, "max", $"at most {MaxHedges} requests can be sent beside the first");
        }

        if (config.Budget == 0)
        {
            Problem(config, "budget", "with 0% nothing is ever sent a second time; remove hedge, or use mode: observe to see what it would do");
        }

        var settings = Timing(config) with
        {
            Budget = config.Budget ?? HedgeSettings.DefaultBudget,
            Max = config.Max ?? HedgeSettings.DefaultMax,
            Mode = config.Mode,
        };

        // Each route by itself: an export is slow where a look-up is not.
        var route = services.Hedges.Of(api.Name, endpoint is null ? "" : SnapshotCompiler.EndpointName(endpoint));
        effects.Add(() => route.Settings = settings);
        yield return new HedgePolicy(settings, services.Hedges, route, services.Time);
    }

    private HedgeSettings Timing(HedgeConfig config)
    {
        var text = config.After ?? DefaultAfter;
        if (text.StartsWith('p') && double.TryParse(text.AsSpan(1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent) && percent is >= LowestPercent and <= HighestPercent)
        {
            return new HedgeSettings { Percentile = percent / 100 };
        }

        if (ScalarParser.TryDuration(text, out var after))
        {
            return new HedgeSettings { After = after };
        }

        Problem(config, "after", $"'{text}' is no time to hedge after; write a duration such as 200ms, or p50 to p99.9");
        return new HedgeSettings();
    }

    private void Problem(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
