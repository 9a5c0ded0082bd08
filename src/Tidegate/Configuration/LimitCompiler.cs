using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Learning;

namespace Tidegate.Configuration;

/// <summary>Compiles an API's limits, and its endpoints' on top of them.</summary>
internal sealed class LimitCompiler(ConfigPositions positions, List<ConfigProblem> problems, LimitStore store, ProviderCompiler providers, IReadOnlyList<ConsumerConfig> consumers)
{
    /// <summary>10 s: most clients still wait for that.</summary>
    public static readonly TimeSpan DefaultMaxWait = TimeSpan.FromSeconds(10);

    private static readonly HashSet<KeyPartKind> TellCallersApart = [KeyPartKind.Consumer, KeyPartKind.Tenant, KeyPartKind.Environment, KeyPartKind.ClientAddress, KeyPartKind.Header];

    private readonly LimitSettingsCompiler _settings = new(positions, problems, consumers);

    private readonly Dictionary<LimitConfig, Limit> _made = new(ReferenceEqualityComparer.Instance);

    /// <summary>Whether a configuration has counts that outlive the process.</summary>
    public static bool HasKept(LoadedConfiguration loaded)
    {
        var providers = new ProviderCompiler(loaded.Positions, [], loaded.Packs);
        return CostCompiler.HasTiers(loaded.Config!) || loaded.Config!.Apis.SelectMany(api => providers.LimitsOf(api).Concat(api.Endpoints.SelectMany(endpoint => endpoint.Limits))).Any(IsKept);
    }

    /// <summary>Whether a limit's counts outlive the process.</summary>
    public static bool IsKept(LimitConfig limit) =>
        IsKept(limit.Rate, limit.Burst, limit.Quota) || limit.Overrides.Any(other => IsKept(other.Rate, other.Burst ?? limit.Burst, other.Quota));

    private static bool IsKept(string? rate, int? burst, string? quota) =>
        (quota is not null && RateText.TryParse(quota, out var amount) && amount.Calendar is not CalendarUnit.Minute)
        || (rate is not null && RateText.TryParse(rate, out var flow) && flow.Period is { } period
            && (burst is { } atOnce ? period * ((double)atOnce / flow.Amount) : period) > TimeSpan.FromMinutes(1));

    /// <summary>The policies that hold a route to its limits: the API's, which its endpoints share, and the endpoint's own.</summary>
    public IEnumerable<IPolicy> Compile(ApiConfig api, EndpointConfig? endpoint, TimeSpan? total = null)
    {
        var limits = Limits(api, api.Name, providers.LimitsOf(api), endpoint?.Match).ToList();
        if (endpoint is not null)
        {
            limits.AddRange(Limits(api, api.Name + " " + SnapshotCompiler.EndpointName(endpoint), endpoint.Limits, endpoint.Match));
        }

        var learning = providers.LearningOf(api) is { } settings ? new ProviderLearning(settings, store.ProviderOf(api.Name), store) : null;
        if (learning is not null && limits.All(limit => limit.Stage != PolicyStage.Attempt))
        {
            // The learning path gives back by itself what is refused behind it.
            var waits = learning.Settings.WhenExceeded == WhenExceeded.Queue;
            yield return new LimitsPolicy(PolicyStage.Attempt, [], store, waits ? store.QueueOf(api.Name, PolicyStage.Attempt) : null, Queue(api.Queue) with { Total = total }, learning);
        }

        foreach (var (stage, ofStage) in limits.GroupBy(limit => limit.Stage).Select(group => (group.Key, group.Select(limit => limit.Limit).ToList())))
        {
            if (ofStage.Count > LimitLease.MaxLimits)
            {
                Problem(endpoint is null ? api : endpoint, "limits", $"{ofStage.Count} limits hold for one exchange here; at most {LimitLease.MaxLimits} can");
                continue;
            }

            var follows = stage == PolicyStage.Attempt ? learning : null;

            // Where any route of the API waits, every route has the queue: what one gives back another may be waiting for.
            var queues = follows?.Settings.WhenExceeded == WhenExceeded.Queue
                || providers.LimitsOf(api).Concat(api.Endpoints.SelectMany(one => one.Limits)).Any(limit => limit.WhenExceeded == WhenExceeded.Queue);
            yield return new LimitsPolicy(stage, ofStage, store, queues ? store.QueueOf(api.Name, stage) : null, Queue(api.Queue) with { Total = total }, follows, isRefusedBehind: stage == PolicyStage.Attempt && (endpoint?.AdaptiveConcurrency ?? api.AdaptiveConcurrency) is not null);
        }
    }

    private IEnumerable<(PolicyStage Stage, Limit Limit)> Limits(ApiConfig api, string scope, IReadOnlyList<LimitConfig> configs, MatchConfig? match)
    {
        var names = new HashSet<string>();
        foreach (var config in configs)
        {
            if (_settings.Compile(api, config, names, match) is not { } settings)
            {
                continue;
            }

            var count = config.Count ?? (settings.Per.Any(part => part.Kind == KeyPartKind.Credential) ? LimitCount.Attempts : api.Direction == Direction.Ingress || settings.Per.Any(part => TellCallersApart.Contains(part.Kind)) ? LimitCount.Exchanges : LimitCount.Attempts);
            yield return (count == LimitCount.Exchanges ? PolicyStage.Admit : PolicyStage.Attempt, Make(config, settings, scope));
        }
    }

    /// <summary>What its routes share of an API is one limit: what classes have of it is found through the limit, and would be taken over anew from route to route.</summary>
    private Limit Make(LimitConfig config, LimitSettings settings, string scope)
    {
        if (settings.Per.Any(part => part.Kind == KeyPartKind.Path))
        {
            return new Limit(settings, scope, store.Secret, store.Time);
        }

        if (!_made.TryGetValue(config, out var limit))
        {
            _made.Add(config, limit = new Limit(settings, scope, store.Secret, store.Time));
        }

        return limit;
    }

    private QueueSettings Queue(QueueConfig? config)
    {
        if (config is null)
        {
            return QueueSettings.Default;
        }

        if (config.Weights.Count > 0 && config.WeightBy is null)
        {
            Problem(config, "weights", "weights need weight_by, which says what the values are of");
        }

        return new QueueSettings
        {
            Capacity = config.Capacity ?? QueueSettings.DefaultCapacity,
            FairBy = (config.FairBy is { } fair ? _settings.Part(fair, LimitPlace.Nowhere, config, "fair_by") : null) ?? QueueSettings.Default.FairBy,
            WeightBy = config.WeightBy is { } by ? _settings.Part(by, LimitPlace.Nowhere, config, "weight_by") : null,
            Weights = config.Weights.DistinctBy(weight => weight.Value).ToDictionary(weight => weight.Value, weight => weight.Weight),
        };
    }

    private void Problem(object record, string? key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
