using System.Globalization;
using Tidegate.Dashboard.Views;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Recording;

namespace Tidegate.Dashboard.Data;

/// <summary>Something that happened to an exchange.</summary>
/// <param name="Name">What.</param>
/// <param name="Detail">How; may be empty.</param>
/// <param name="Tone">good, warn, bad, or nothing.</param>
/// <param name="Length">How long it took; null where the record does not say.</param>
/// <param name="IsPart">It is one of what the step before it is made of.</param>
public sealed record TimelineStep(string Name, string Detail, string Tone, TimeSpan? Length, bool IsPart = false)
{
    /// <summary>In the order in which it came, as far as the record has it.</summary>
    /// <param name="record">Whose.</param>
    /// <param name="route">The policies of its route; null where they are not known, or not for whoever looks.</param>
    internal static IReadOnlyList<TimelineStep> Of(ExchangeRecord record, RouteDecisions? route = null)
    {
        var steps = new List<TimelineStep> { new("The request's head was complete", $"{ExchangeWords.WithName(record.ClientProtocol)} from {record.ClientAddress}", "", null) };
        var asked = route?.Steps(record).ToList() ?? [];
        if (record.Policies > TimeSpan.Zero || asked.Count > 0)
        {
            steps.Add(new("Policies decided", asked.Count > 0 && route!.IsNewer ? "as the configuration has them that is in force now; it came after this exchange" : "", "", record.Policies > TimeSpan.Zero ? record.Policies : null));
            steps.AddRange(asked);
        }

        foreach (var observed in record.Observed)
        {
            if (asked.Count > 0 && route!.Tells(record, observed))
            {
                continue;
            }

            steps.Add(new(Would(observed), $"{observed.Code}; it only observes", "warn", null));
        }

        if (record.Cache != CacheResult.None && !asked.Any(step => step.Name == "cache"))
        {
            var isHit = record.Outcome == Outcome.ServedFromCache;
            steps.Add(new("The cache was asked", ExchangeWords.Of(record.Cache) + (record.IsCacheOverridden ? ", kept longer than the upstream said" : ""), isHit ? "good" : "", null));
        }

        if (record.UnreadCosts != UnreadCosts.None)
        {
            steps.Add(new("A limit charged its constant", "what the exchange costs was not to be read", "warn", null));
        }

        if (record.Queue > TimeSpan.Zero)
        {
            steps.Add(new("Waited for a limit", "", "warn", record.Queue));
        }

        AddAttempts(steps, record);
        if (record.CachePurges > 0)
        {
            steps.Add(new("Stored answers were purged", $"{record.CachePurges} purge{(record.CachePurges == 1 ? "" : "s")}", "", null));
        }

        AddEnd(steps, record);
        return steps;
    }

    private static void AddAttempts(List<TimelineStep> steps, in ExchangeRecord record)
    {
        var attempt = 0;
        foreach (var retry in record.Retries)
        {
            if (retry.Cause == "hedge")
            {
                steps.Add(new("Sent a second time, because it was slow", Where(retry.Destination, retry.Region, retry.Credential, retry.Result, Begin(retry)), retry.Result is "won" ? "good" : "", Took(retry)));
                continue;
            }

            steps.Add(new($"Attempt {++attempt} did not do: {retry.Cause}", Where(retry.Destination, retry.Region, retry.Credential, Begin(retry)), "bad", Took(retry)));
            steps.Add(retry.Stopped.Length > 0 ? new("No further attempt", Why(retry.Stopped), "warn", null) : new("Waited before the next attempt", "", "", retry.Pause));
        }

        // What the last attempt was told of stands in the record itself, unless the list of those that did not do ends with it.
        if (record.Attempts > 0 && record.Destination.Length > 0 && record.Retries is not [.., { Stopped.Length: > 0 }])
        {
            steps.Add(new(record.Attempts == 1 ? "Sent to the upstream" : $"Attempt {Math.Max(attempt + 1, record.Attempts)} was sent to the upstream", Where(record.Destination, record.Region, record.Credential, ExchangeWords.WithName(record.UpstreamProtocol)), "", null));
        }

        if (record.Connect > TimeSpan.Zero)
        {
            steps.Add(new("Connected", "a new connection was opened", "", record.Connect));
        }

        if (record.TimeToFirstByte > record.Connect)
        {
            steps.Add(new("The upstream's answer began", record.Attempts > 1 ? "all attempts and pauses before it included" : "", "", record.TimeToFirstByte - record.Connect));
        }
    }

    private static void AddEnd(List<TimelineStep> steps, in ExchangeRecord record)
    {
        var status = record.Status == 0 ? "the client got no answer" : record.Status.ToString(CultureInfo.InvariantCulture);
        steps.Add(record.Outcome switch
        {
            Outcome.Rejected => new($"Refused by {record.Reason}", $"{record.Code}; {status}", "warn", null),
            Outcome.Failed => new(ErrorRule.IsClientFailure(record.Outcome, record.Reason) ? "The client ended it" : $"Failed at the {record.Reason}", $"{record.Code}; {status}", "bad", null),
            Outcome.ServedFromFallback => new("A fallback stood in", status, "warn", null),
            Outcome.ServedFromCache => new("Answered from the cache", status, "good", null),
            _ => new("Answered", status, record.Status >= 500 ? "bad" : record.Status >= 400 ? "warn" : "good", null),
        });
        steps.Add(new("Its last byte was sent", $"{Units.Bytes(record.ResponseBytes)}; the whole exchange", "", record.Total));
    }

    private static string Begin(in RetryNote retry) => retry.Began > TimeSpan.Zero ? $"began after {Units.Duration(retry.Began)}" : "";

    private static TimeSpan? Took(in RetryNote retry) => retry.Took > TimeSpan.Zero ? retry.Took : null;

    /// <summary>What a policy that only observes would have done.</summary>
    internal static string Would(PolicyDecision observed) => observed.Policy switch
    {
        "fallback" => "The fixed answer would have stood in",
        "credential" => "Another key would have been used",
        "ejection" when observed.Code == Balancer.WouldEject => "Its destination would have been left out from here on",
        "ejection" when observed.Code == Balancer.WouldSetAside => "Its destination would have been left out for the pause that it asked for",
        "ejection" when observed.Code == Balancer.WouldRefuse => "It would have been refused: all destinations have asked for a pause",
        "ejection" => "Another destination would have been asked",
        _ => $"{observed.Policy} would have refused",
    };

    private static string Where(params IEnumerable<string> parts) => string.Join(", ", parts.Where(part => part.Length > 0));

    private static string Why(string stopped) => stopped switch
    {
        "attempts" => "as many were made as may be",
        "budget" => "the retry budget was used up",
        "content" => "the request's content is larger than is kept for it",
        "deadline" => "no time was left",
        "client" => "the client went away",
        "observe" => "retries only observe",
        _ => stopped,
    };
}
