using System.Globalization;
using Tidegate.Dashboard.Views;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Credential;
using Tidegate.Policies.Limits;
using Tidegate.Recording;

namespace Tidegate.Dashboard.Data;

/// <summary>
/// The policies of an exchange's route, in the order in which they were asked, and what its record has of each. A record does not say which policies there were: they are those of the
/// configuration that is in force now.
/// </summary>
/// <param name="Policies">In their order.</param>
/// <param name="IsNewer">The configuration came into force after the exchange began.</param>
internal sealed record RouteDecisions(IReadOnlyList<IPolicy> Policies, bool IsNewer)
{
    /// <summary>Of an exchange's route; null where the configuration in force has none such.</summary>
    public static RouteDecisions? Of(GatewaySnapshot snapshot, DateTimeOffset inForceSince, ExchangeRecord record)
    {
        var plan = record.Api.Length == 0
            ? record.Direction == Direction.Egress ? snapshot.Unlisted : null
            : snapshot.Plans.FirstOrDefault(plan => plan.Route.ApiName == record.Api && plan.Route.EndpointName == record.Endpoint && plan.Route.Direction == record.Direction);
        return plan is null ? null : new(plan.Pipeline.Policies, record.Started < inForceSince);
    }

    /// <summary>A step for each policy that was asked, up to the one that decided; none where that was decided before them, or is not known.</summary>
    public IEnumerable<TimelineStep> Steps(ExchangeRecord record)
    {
        var last = LastAsked(record);
        for (var i = 0; i <= last; i++)
        {
            var policy = Policies[i];
            var isDecisive = i == last && record.Outcome is Outcome.Rejected or Outcome.ServedFromFallback && policy.Name == record.Reason;
            var observed = record.Observed.Where(decision => decision.Policy == policy.Name).Select(TimelineStep.Would).Distinct().ToList();
            var detail = isDecisive ? $"refused: {record.Code}" : DetailOf(policy, record);
            yield return new TimelineStep(policy.Name, string.Join("; ", observed.Select(would => would + " (it only observes)").Prepend(detail)), isDecisive || observed.Count > 0 ? "warn" : i == last && record.Outcome == Outcome.ServedFromCache ? "good" : "", null, IsPart: true);
        }
    }

    /// <summary>Whether a step of a policy says what it would have done.</summary>
    public bool Tells(ExchangeRecord record, PolicyDecision observed) => Policies.Take(LastAsked(record) + 1).Any(policy => policy.Name == observed.Policy);

    private int LastAsked(ExchangeRecord record)
    {
        switch (record.Outcome)
        {
            // A fixed answer stands in for a refusal too.
            case Outcome.Rejected or Outcome.ServedFromFallback when record.Outcome == Outcome.Rejected || FirstNamed(record.Reason) >= 0:
                // Limits of attempts stand behind those of exchanges under the same name: the first had let pass what was asked of the cache or sent.
                return record.Attempts > 0 || record.Cache != CacheResult.None ? LastNamed(record.Reason) : FirstNamed(record.Reason);
            case Outcome.ServedFromCache:
                return FirstNamed("cache");
            case Outcome.Failed when record.Attempts == 0:
                // It broke on its way through them, nobody noted where; whoever waited did so for a limit.
                return record.QueuePosition > 0 ? FirstNamed("limits") : -1;
            default:
                return Policies.Count - 1;
        }
    }

    private int FirstNamed(string name) => Policies.TakeWhile(policy => policy.Name != name).Count() is var index && index < Policies.Count ? index : -1;

    private int LastNamed(string name) => Policies.Count - 1 - Policies.Reverse().TakeWhile(policy => policy.Name != name).Count();

    private static string DetailOf(IPolicy policy, ExchangeRecord record) => policy switch
    {
        LimitsPolicy limits => LimitsOf(limits, record),
        CredentialPolicy only => $"put into {only.Header}",
        KeyPoolPolicy pool => record.Credential.Length > 0 ? $"{record.Credential} put into {pool.Header}" : $"put into {pool.Header}",
        _ => policy.Name switch
        {
            "authenticate" => record.Consumer.Name == Consumer.Anonymous.Name ? "no key of a consumer's" : $"{record.Consumer.Name}, by its key",
            "access" => "may call",
            "webhook" => "its signature is right",
            "capture" => "chose whether it is captured",
            "fallback" => record.Outcome == Outcome.ServedFromFallback ? "stood in" : "was not needed",
            "cache" => record.Cache == CacheResult.None ? "was not asked" : ExchangeWords.Of(record.Cache) + (record.IsCacheOverridden ? ", kept longer than the upstream said" : ""),
            "retry" => RetriesOf(record),
            "hedge" => record.Retries.Where(retry => retry.Cause == "hedge").Select(retry => $"sent a second time, {retry.Result}").FirstOrDefault() ?? "nothing was sent a second time",
            "cost" => record.Cost.Currency.Length > 0 ? "metered " + Units.Cost([(record.Cost.Currency, record.Cost.Amount)], record.Cost.Unknown) : "not known",
            _ => "let it pass",
        },
    };

    private static string LimitsOf(LimitsPolicy policy, ExchangeRecord record)
    {
        var names = string.Join(", ", policy.Limits.Select(limit => $"{limit.Settings.Name} ({limit.Settings.Text}{(limit.Settings.Per.Count > 0 ? " for each " + string.Join(", ", limit.Settings.Per.Select(part => part.Text)) : "")})"));
        var passed = $"{(names.Length > 0 ? names : "what its provider says")}{(policy.Stage == PolicyStage.Attempt ? ", for each attempt" : "")}: had room";
        var waited = policy.Queue is not null && record.QueuePosition > 0 ? $", place {record.QueuePosition.ToString(CultureInfo.InvariantCulture)} in line, waited {Units.Duration(record.Queue)}" : "";
        return passed + waited;
    }

    private static string RetriesOf(ExchangeRecord record)
    {
        var failed = record.Retries.Where(retry => retry.Cause != "hedge").ToList();
        return failed.Count == 0 ? "the first attempt did"
            : $"{failed.Count} attempt{(failed.Count == 1 ? "" : "s")} did not do{(failed[^1].Stopped.Length > 0 ? ", and no further one was made" : "")}";
    }
}
