using System.Collections.Frozen;
using Tidegate.Policies;
using Tidegate.Policies.Retry;

namespace Tidegate.Configuration;

/// <summary>Compiles when another attempt is made.</summary>
internal sealed class RetryCompiler(ConfigPositions positions, List<ConfigProblem> problems, CompilerServices services, ProviderCompiler providers, string stateDirectory)
{
    // Ten attempts with doubling pauses are a minute and more; whoever wants more wants a queue.
    private const int MaxAttempts = 10;

    // What hundreds of calls in flight may hold in memory.
    private const long MaxBodyBytes = 16 * 1024 * 1024;

    public IEnumerable<IPolicy> Compile(ApiConfig api, EndpointConfig? endpoint, TimeSpan? total)
    {
        if ((endpoint?.Retry ?? api.Retry) is not { } config)
        {
            yield break;
        }

        Check(config);
        var settings = new RetrySettings
        {
            Attempts = config.Attempts ?? RetrySettings.DefaultAttempts,
            Base = config.Backoff.Base ?? RetrySettings.DefaultBase,
            Max = config.Backoff.Max ?? RetrySettings.DefaultMax,
            Budget = config.Budget ?? RetrySettings.DefaultBudget,
            Statuses = config.Statuses.Count > 0 ? config.Statuses.ToFrozenSet() : RetrySettings.DefaultStatuses,
            Mends500 = config.Statuses.Count == 0,
            Methods = config.Methods.ToFrozenSet(StringComparer.Ordinal),
            MaxBodyBytes = (int)Math.Min(MaxBodyBytes, config.MaxBody ?? RetrySettings.DefaultMaxBodyBytes),
            SpillBytes = Math.Min(SpillSpace.MaxBytes, config.Spill ?? 0),
            Spill = config.Spill > 0 ? services.Spill : null,
            SpillDirectory = stateDirectory,
            IdempotencyHeader = config.Idempotency?.Header ?? providers.PackOf(api)?.Idempotency?.Header,
            InjectsIdempotencyKey = config.Idempotency?.Inject == true,
            Mode = config.Mode,
        };
        yield return new RetryPolicy(settings, services.RetryBudgets.Of(api.Name), new Backoff(services.Random), total, services.Time);
    }

    private void Check(RetryConfig config)
    {
        if (config.Attempts > MaxAttempts)
        {
            Problem(config, "attempts", $"at most {MaxAttempts} attempts can be made");
        }

        if (config.MaxBody > MaxBodyBytes)
        {
            Problem(config, "max_body", $"at most {MaxBodyBytes / (1024 * 1024)}MB of a request can be kept");
        }

        if (config.Idempotency is { } idempotency && FieldNameCheck.ProblemOf(idempotency.Header) is { } problem)
        {
            Problem(idempotency, "header", problem);
        }

        if (config.Spill > SpillSpace.MaxBytes)
        {
            Problem(config, "spill", $"at most {SpillSpace.MaxBytes / (1024 * 1024 * 1024)}GB can be kept in files, of all requests together");
        }

        if (config.Backoff is { Base: { } first, Max: { } longest } && first > longest)
        {
            Problem(config.Backoff, "base", "the first pause is longer than the longest");
        }

        for (var i = 0; i < config.Statuses.Count; i++)
        {
            if (config.Statuses[i] is < 400 or > 599)
            {
                problems.Add(new ConfigProblem(positions.Of(config, "statuses", i), ConfigSeverity.Error, $"{config.Statuses[i]} is no answer to attempt again after; write 400 to 599"));
            }
        }
    }

    private void Problem(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
