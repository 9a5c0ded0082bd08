using Tidegate.Policies.Limits;

namespace Tidegate.Configuration;

/// <summary>Compiles the amounts that a limit has for some values of what it tells apart.</summary>
internal sealed class OverrideCompiler(ConfigPositions positions, List<ConfigProblem> problems, IReadOnlyList<ConsumerConfig> consumers)
{
    /// <param name="api">Whose limit.</param>
    /// <param name="limit">What was written.</param>
    /// <param name="per">What the limit tells apart.</param>
    /// <param name="settings">The limit without overrides.</param>
    /// <param name="amounts">Reads amounts.</param>
    public IReadOnlyList<LimitOverride> Compile(ApiConfig api, LimitConfig limit, IReadOnlyList<KeyPart> per, LimitSettings settings, LimitAmounts amounts)
    {
        var overrides = new List<LimitOverride>();
        if (limit.Overrides.Count > 0 && limit.Per.Count == 0)
        {
            Problem(limit, "overrides", "overrides are for values of per; write per: consumer, for example");
            return [];
        }

        foreach (var config in limit.Overrides)
        {
            var isOne = LimitAmounts.KindOf(config.Rate, config.Quota, config.Concurrency) == LimitAmounts.KindOf(limit.Rate, limit.Quota, limit.Concurrency);
            if (!isOne)
            {
                Problem(config, null, $"an override says what the limit says, for others: write {(limit.Rate is not null ? "rate" : limit.Quota is not null ? "quota" : "concurrency")} and nothing else");
            }

            // A per that is wrong has been told of, and says nothing about these.
            var hasValues = per.Count == limit.Per.Count && HasValues(api, config, per, overrides);
            if (!isOne || amounts.Compile(config, limit) is not { } amount)
            {
                continue;
            }

            if (config.Burst is not null && limit.Burst is null)
            {
                Problem(config, "burst", "burst belongs to an override of a limit with burst");
            }
            else if (amount.Unit != settings.Unit)
            {
                Problem(config, limit.Rate is not null ? "rate" : "quota", $"the limit counts {Unit(settings)}, and its overrides must too");
            }
            else if (amount.Calendar?.Unit != settings.Calendar?.Unit)
            {
                Problem(config, "quota", $"the limit counts by the {settings.Calendar!.Unit.ToString().ToLowerInvariant()}, and its overrides must too");
            }
            else if (hasValues)
            {
                overrides.Add(new LimitOverride(config.Value, amount with { Text = $"{amount.Text} for {string.Join(", ", config.Value)}" }));
            }
        }

        return overrides;
    }

    private bool HasValues(ApiConfig api, LimitOverrideConfig config, IReadOnlyList<KeyPart> per, List<LimitOverride> before)
    {
        if (config.Value.Count == 0 || config.Value.Count > per.Count)
        {
            Problem(config, "value", $"per names {per.Count} here: write {(per.Count == 1 ? "one value" : $"1 to {per.Count} values")}");
            return false;
        }

        if (before.Any(other => other.Values.SequenceEqual(config.Value)))
        {
            Problem(config, "value", $"there are two overrides for '{string.Join(", ", config.Value)}' here");
            return false;
        }

        var isGood = true;
        for (var i = 0; i < config.Value.Count; i++)
        {
            if (Wrong(api, per[i], config.Value[i]) is { } wrong)
            {
                problems.Add(new ConfigProblem(positions.Of(config, "value", i), ConfigSeverity.Error, wrong));
                isGood = false;
            }
        }

        return isGood;
    }

    private string? Wrong(ApiConfig api, KeyPart part, string value)
    {
        Span<byte> bytes = stackalloc byte[KeyPart.MaxBytes];
        if (!part.TryEncode(value, bytes, out _))
        {
            return part.Kind == KeyPartKind.ClientAddress ? $"'{value}' is no address" : $"a value has 1 to {KeyPart.MaxBytes} bytes";
        }

        IEnumerable<string?>? known = part.Kind switch
        {
            KeyPartKind.Consumer => consumers.Select(consumer => consumer.Name),
            KeyPartKind.Tenant => consumers.Select(consumer => consumer.Tenant),
            KeyPartKind.Environment => consumers.Select(consumer => consumer.Environment),
            KeyPartKind.Credential => api.Credential?.Keys.Select(key => key.Name),
            _ => null,
        };
        if (known is null || known.Contains(value))
        {
            return null;
        }

        var meant = Suggestion.For(value, known.OfType<string>().Distinct());
        return $"there is no {part.Text} '{value}'" + (meant is null ? "" : $", did you mean '{meant}'?");
    }

    private static string Unit(LimitSettings settings) => settings.Unit.ToString().ToLowerInvariant();

    private void Problem(object record, string? key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
