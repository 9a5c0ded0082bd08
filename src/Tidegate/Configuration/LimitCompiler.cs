using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Learning;

namespace Tidegate.Configuration;

/// <summary>Compiles an API's limits, and its endpoints' on top of them.</summary>
internal sealed class LimitCompiler(ConfigPositions positions, List<ConfigProblem> problems, LimitStore store, ProviderCompiler providers, IReadOnlyList<ConsumerConfig> consumers)
{
    /// <summary>10 s: most clients still wait for that.</summary>
    public static readonly TimeSpan DefaultMaxWait = TimeSpan.FromSeconds(10);

    private static readonly HashSet<KeyPartKind> TellCallersApart = [KeyPartKind.Consumer, KeyPartKind.Tenant, KeyPartKind.Environment, KeyPartKind.ClientAddress, KeyPartKind.Header];

    private readonly LimitAmounts _amounts = new(positions, problems);

    private readonly Dictionary<LimitConfig, Limit> _made = new(ReferenceEqualityComparer.Instance);

    /// <summary>Whether a configuration has counts that outlive the process.</summary>
    public static bool HasKept(LoadedConfiguration loaded)
    {
        var providers = new ProviderCompiler(loaded.Positions, [], loaded.Packs);
        return CostCompiler.HasTiers(loaded.Config!) || loaded.Config!.Apis.SelectMany(api => providers.LimitsOf(api).Concat(api.Endpoints.SelectMany(endpoint => endpoint.Limits))).Any(IsKept);
    }

    /// <summary>Whether a limit's counts outlive the process.</summary>
    private static bool IsKept(LimitConfig limit) =>
        IsKept(limit.Rate, limit.Burst, limit.Quota) || limit.Overrides.Any(other => IsKept(other.Rate, other.Burst ?? limit.Burst, other.Quota));

    private static bool IsKept(string? rate, int? burst, string? quota) =>
        (quota is not null && RateText.TryParse(quota, out var amount) && amount.Calendar is not CalendarUnit.Minute)
        || (rate is not null && RateText.TryParse(rate, out var flow) && flow.Period is { } period
            && (burst is { } atOnce ? period * ((double)atOnce / flow.Amount) : period) > TimeSpan.FromMinutes(1));

    /// <summary>The policies that hold a route to its limits: the API's, which its endpoints share, and the endpoint's own.</summary>
    public IEnumerable<IPolicy> Compile(ApiConfig api, EndpointConfig? endpoint)
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
            yield return new LimitsPolicy(PolicyStage.Attempt, [], store, waits ? store.QueueOf(api.Name, PolicyStage.Attempt) : null, Queue(api.Queue), learning);
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
            yield return new LimitsPolicy(stage, ofStage, store, queues ? store.QueueOf(api.Name, stage) : null, Queue(api.Queue), follows, isRefusedBehind: stage == PolicyStage.Attempt && (endpoint?.AdaptiveConcurrency ?? api.AdaptiveConcurrency) is not null);
        }
    }

    private IEnumerable<(PolicyStage Stage, Limit Limit)> Limits(ApiConfig api, string scope, IReadOnlyList<LimitConfig> configs, MatchConfig? match)
    {
        var names = new HashSet<string>();
        foreach (var config in configs)
        {
            if (Settings(api, config, names, match) is not { } settings)
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

    private LimitSettings? Settings(ApiConfig api, LimitConfig config, HashSet<string> names, MatchConfig? match)
    {
        if (LimitAmounts.KindOf(config.Rate, config.Quota, config.Concurrency) is not { } kind)
        {
            Problem(config, null, "a limit has exactly one of rate, quota and concurrency");
            return null;
        }

        var settings = _amounts.Compile(config);
        Misplaced(config, kind);
        var name = config.Name ?? NameFor(kind.ToString().ToLowerInvariant(), names);
        if (!names.Add(name))
        {
            Problem(config, "name", $"there are two limits named '{name}' here");
        }

        if (config.Per.Contains("credential") && (api.Credential is not { Keys.Count: > 0 } || config.Count == LimitCount.Exchanges))
        {
            var index = config.Per.ToList().IndexOf("credential");
            Add(config, "per", index, config.Count == LimitCount.Exchanges ? "which key it is, is known with each attempt; remove count: exchanges" : "'credential' tells the API's own keys apart: list several under credential.keys");
        }

        var per = config.Per.Select((text, i) => Part(text, api.Path, match, config, "per", i)).OfType<KeyPart>().ToArray();
        if (settings is null)
        {
            return null;
        }

        var overrides = new OverrideCompiler(positions, problems, consumers).Compile(api, config, per, settings, _amounts);
        var shares = config.Shares is { } shared && By(api, shared, match) is { } by ? new ShareCompiler(positions, problems).Compile(config, shared, by, settings) : null;
        return settings with
        {
            Name = name,
            Overrides = overrides,
            Shares = shares,
            Text = shares is null ? settings.Text : $"{settings.Text} shared by {shares.By.Text}",
            Per = per,
            Cost = Cost(config, settings, overrides),
            WhenExceeded = config.WhenExceeded,
            OnError = config.OnError,
            MaxWait = config.MaxWait ?? DefaultMaxWait,
            Mode = config.Mode,
        };
    }

    private KeyPart? By(ApiConfig api, SharesConfig shares, MatchConfig? match) => Part(shares.By, api.Path, match, shares, "by", null);

    private static string NameFor(string kind, HashSet<string> names)
    {
        var name = kind;
        for (var number = 2; names.Contains(name); number++)
        {
            name = $"{kind}-{number}";
        }

        return name;
    }

    private void Misplaced(LimitConfig config, LimitKind kind)
    {
        if (config.Burst is not null && kind != LimitKind.Rate)
        {
            Problem(config, "burst", "burst belongs to a rate");
        }

        if ((config.TimeZone is not null || config.ResetDay is not null) && kind != LimitKind.Quota)
        {
            Problem(config, config.TimeZone is not null ? "time_zone" : "reset_day", "time_zone and reset_day belong to a quota");
        }
        else if (config.ResetDay is not null && RateText.TryParse(config.Quota!, out var quota) && quota.Calendar is { } unit && unit != CalendarUnit.Month)
        {
            Problem(config, "reset_day", "reset_day belongs to a quota of a month");
        }

        if (config.OnError == OnError.Deny && !IsKept(config))
        {
            Problem(config, "on_error", "on_error belongs to a limit whose counts outlive a restart: a quota from an hour up, or a rate over more than a minute");
        }

        if (config.Per.Count > Limit.MaxParts)
        {
            Problem(config, "per", $"at most {Limit.MaxParts} things can be told apart together");
        }

        if (config.MaxWait is not null && config.WhenExceeded == WhenExceeded.Reject)
        {
            Problem(config, "max_wait", "max_wait belongs to when_exceeded: queue");
        }
    }

    private LimitCost Cost(LimitConfig config, LimitSettings settings, IReadOnlyList<LimitOverride> overrides)
    {
        if (config.Cost is not { } cost)
        {
            return LimitCost.One;
        }

        if (settings.Unit != LimitUnit.Points)
        {
            Problem(config, "cost", "cost belongs to a limit of points: write the amount as in 2000 points/m");
        }

        foreach (var amount in (LimitSettings[])[settings, .. overrides.Select(other => other.Settings)])
        {
            if (cost.Points > (amount.Kind == LimitKind.TokenBucket ? amount.Burst : amount.Amount))
            {
                Problem(cost, "points", $"no request would ever pass: it costs {cost.Points}, and the limit lets {amount.Text} pass");
            }
        }

        if (cost.OnUnread == OnUnread.Deny && cost.Json is null)
        {
            Problem(cost, "on_unread", "on_unread belongs to json: it is about what is read there");
        }

        return new LimitCost(cost.Points ?? 1, cost.Header?.ToLowerInvariant(), cost.ResponseHeader?.ToLowerInvariant(), Pointer(cost, "json", cost.Json), Pointer(cost, "response_json", cost.ResponseJson), cost.OnUnread);
    }

    private JsonPointer? Pointer(LimitCostConfig cost, string key, string? text)
    {
        var pointer = text is null ? null : JsonPointer.TryParse(text);
        if (text is not null && pointer is null)
        {
            Problem(cost, key, $"'{text}' is no JSON pointer to a field; write /usage/total_tokens, with at most {JsonPointer.MaxSegments} parts");
        }

        return pointer;
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
            FairBy = (config.FairBy is { } fair ? Part(fair, "", null, config, "fair_by", null) : null) ?? QueueSettings.Default.FairBy,
            WeightBy = config.WeightBy is { } by ? Part(by, "", null, config, "weight_by", null) : null,
            Weights = config.Weights.DistinctBy(weight => weight.Value).ToDictionary(weight => weight.Value, weight => weight.Weight),
        };
    }

    private KeyPart? Part(string text, string apiPath, MatchConfig? match, object record, string key, int? index)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var (word, name) = colon < 0 ? (text, "") : (text[..colon], text[(colon + 1)..]);
        switch (word)
        {
            case "header" when name.Length > 0:
                return new KeyPart(KeyPartKind.Header, name.ToLowerInvariant());
            case "path" when name.Length > 0:
                // Targets have the API's own path before the endpoint's.
                string[] segments = [.. Segments(apiPath), .. Segments(match?.Path ?? "")];
                var segment = Array.IndexOf(segments, "{" + name + "}");
                if (segment >= 0)
                {
                    return new KeyPart(KeyPartKind.Path, name, segment);
                }

                // An API's limit holds for all of its endpoints, and only some have such a segment.
                Add(record, key, index, $"'{text}' needs a {{{name}}} in the path of the endpoint that the limit is written for");
                return null;
            case "credential" when key == "per" && name.Length == 0:
                return new KeyPart(KeyPartKind.Credential);
            case "consumer" or "tenant" or "environment" or "endpoint" or "host" or "client_address" when name.Length == 0:
                return new KeyPart(Enum.Parse<KeyPartKind>(word.Replace("_", "", StringComparison.Ordinal), ignoreCase: true));
            default:
                var meant = Suggestion.For(word, ["consumer", "tenant", "environment", "endpoint", "host", "client_address", "header", "path"]);
                Add(record, key, index, $"'{text}' is not known here; use consumer, tenant, environment, endpoint, host, client_address, header:NAME or path:NAME" + (meant is null ? "" : $" (did you mean '{meant}'?)"));
                return null;
        }
    }

    private static string[] Segments(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries);

    private void Add(object record, string key, int? index, string message)
    {
        var position = index is { } i ? positions.Of(record, key, i) : positions.Of(record, key);
        problems.Add(new ConfigProblem(position, ConfigSeverity.Error, message));
    }

    private void Problem(object record, string? key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
