using System.Collections.Frozen;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Costs;

namespace Tidegate.Configuration;

/// <summary>Compiles what one limit says, an API's, an endpoint's or a provider's, and finds what cannot be meant.</summary>
internal sealed class LimitSettingsCompiler(ConfigPositions positions, List<ConfigProblem> problems, IReadOnlyList<ConsumerConfig> consumers)
{
    private readonly LimitAmounts _amounts = new(positions, problems);

    /// <param name="api">Whose limit.</param>
    /// <param name="config">What was written.</param>
    /// <param name="names">Those of the limits beside it; its own is added.</param>
    /// <param name="match">Of the endpoint that it is written for; null when it is the API's.</param>
    /// <returns>Null when it cannot be used, and that was said.</returns>
    public LimitSettings? Compile(ApiConfig api, LimitConfig config, HashSet<string> names, MatchConfig? match)
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

        var targets = new LimitTargets(positions, problems).Compile(config, allowsEncodedSlash: api.AllowEncodedSlash || api.Direction == Direction.Egress);
        var place = new LimitPlace(config.Path, api.Path + "/" + match?.Path);
        var per = config.Per.Select((text, i) => Part(text, place, config, "per", i)).OfType<KeyPart>().ToArray();
        if (settings is null)
        {
            return null;
        }

        var overrides = new OverrideCompiler(positions, problems, consumers).Compile(api, config, per, settings, _amounts);
        var shares = config.Shares is { } shared && Part(shared.By, place, shared, "by") is { } by ? new ShareCompiler(positions, problems).Compile(config, shared, by, settings) : null;
        return settings with
        {
            Name = name,
            Overrides = overrides,
            Shares = shares,
            Text = settings.Text + LimitTargets.Text(config) + (shares is null ? "" : $" shared by {shares.By.Text}"),
            IsFor = targets,
            Per = per,
            Cost = Cost(config, settings, overrides),
            WhenExceeded = config.WhenExceeded,
            OnError = config.OnError,
            MaxWait = config.MaxWait ?? LimitCompiler.DefaultMaxWait,
            Mode = config.Mode,
        };
    }

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

        if (config.OnError == OnError.Deny && !LimitCompiler.IsKept(config))
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
            var most = amount.Kind == LimitKind.TokenBucket ? amount.Burst : amount.Amount;
            if (cost.Points > most)
            {
                Problem(cost, "points", $"no request would ever pass: it costs {cost.Points}, and the limit lets {amount.Text} pass");
            }

            foreach (var other in cost.ByMethod.Where(other => other.Points > most))
            {
                Problem(other, "points", $"no such request would ever pass: it costs {other.Points}, and the limit lets {amount.Text} pass");
            }
        }

        if (cost.OnUnread == OnUnread.Deny && cost.Json is null)
        {
            Problem(cost, "on_unread", "on_unread belongs to json: it is about what is read there");
        }

        var byMethod = new Dictionary<string, long>();
        foreach (var other in cost.ByMethod)
        {
            new MethodChecks(positions, problems).Check(other, other.Methods);
            for (var i = 0; i < other.Methods.Count; i++)
            {
                if (!byMethod.TryAdd(other.Methods[i], other.Points))
                {
                    Add(other, "methods", i, $"'{other.Methods[i]}' has two costs here");
                }
            }
        }

        return new LimitCost(cost.Points ?? 1, cost.Header?.ToLowerInvariant(), cost.ResponseHeader?.ToLowerInvariant(), Pointer(cost, "json", cost.Json), Pointer(cost, "response_json", cost.ResponseJson), cost.OnUnread, byMethod.Count == 0 ? null : byMethod.ToFrozenDictionary());
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

    /// <summary>A word of per.</summary>
    /// <param name="text">The word.</param>
    /// <param name="place">Where a <c>{NAME}</c> of it may stand.</param>
    /// <param name="record">What it is written in.</param>
    /// <param name="key">Under which key.</param>
    /// <param name="index">Which item of it; null when it is no list.</param>
    /// <returns>Null when it is none, and that was said.</returns>
    public KeyPart? Part(string text, LimitPlace place, object record, string key, int? index = null)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var (word, name) = colon < 0 ? (text, "") : (text[..colon], text[(colon + 1)..]);
        switch (word)
        {
            case "header" when name.Length > 0:
                return new KeyPart(KeyPartKind.Header, name.ToLowerInvariant());
            case "path" when name.Length > 0:
                if (place.SegmentOf(name) is { } segment)
                {
                    return new KeyPart(KeyPartKind.Path, name, segment);
                }

                // An API's limit holds for all of its endpoints, and only some have such a segment.
                Add(record, key, index, place.Paths.Count > 0 ? $"'{text}' needs a {{{name}}} in the limit's path, in each of them as the same segment" : $"'{text}' needs a {{{name}}} in the path of the endpoint that the limit is written for");
                return null;
            case "path" when name.Length == 0 && colon < 0:
                return new KeyPart(KeyPartKind.WholePath);
            case "credential" when key == "per" && name.Length == 0:
                return new KeyPart(KeyPartKind.Credential);
            case "consumer" or "tenant" or "environment" or "endpoint" or "host" or "method" or "client_address" when name.Length == 0:
                return new KeyPart(Enum.Parse<KeyPartKind>(word.Replace("_", "", StringComparison.Ordinal), ignoreCase: true));
            default:
                var meant = Suggestion.For(word, ["consumer", "tenant", "environment", "endpoint", "host", "method", "client_address", "header", "path"]);
                Add(record, key, index, $"'{text}' is not known here; use consumer, tenant, environment, endpoint, host, method, path, client_address, header:NAME or path:NAME" + (meant is null ? "" : $" (did you mean '{meant}'?)"));
                return null;
        }
    }

    private void Add(object record, string key, int? index, string message)
    {
        var position = index is { } i ? positions.Of(record, key, i) : positions.Of(record, key);
        problems.Add(new ConfigProblem(position, ConfigSeverity.Error, message));
    }

    private void Problem(object record, string? key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
