using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Fallback;

/// <summary>
/// Gives a fixed answer where there would be none: behind everything else that could help, the cache's stale answers included. It says so in a field of its own,
/// and the record keeps what it stands in for.
/// </summary>
internal sealed class FallbackPolicy(FallbackSettings settings, TimeProvider time) : IPolicy
{
    /// <summary>The field that marks the answer. Its value is the code of what it stands in for.</summary>
    public const string MarkName = "Tidegate-Fallback";

    /// <summary>What the record says where it would have stood in: the outcome that the exchange would have had.</summary>
    public const string WouldServe = "served_from_fallback";

    public string Name => "fallback";

    public PolicyStage Stage => PolicyStage.Fallback;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) =>
        exchange.IsTunnel || exchange.UpgradeProtocol is not null ? next(exchange) : AnswerAsync(exchange, next);

    public PolicyExplanation Explain(Exchange exchange)
    {
        if (exchange.IsTunnel || exchange.UpgradeProtocol is not null)
        {
            return new PolicyExplanation("skipped: a tunnel or upgrade cannot be answered in another's place");
        }

        string[] when = [.. settings.OnFailure ? ["no answer, 502, 503, 504"] : (string[])[], .. settings.OnCircuitOpen ? ["an open circuit, an adaptive limit or a cool-down"] : (string[])[], .. settings.OnLimit ? ["a limit's refusal"] : (string[])[], .. settings.Statuses.Order().Select(status => status.ToString(CultureInfo.InvariantCulture))];
        return new PolicyExplanation($"{settings.Status} with {settings.Content.Length} bytes of {settings.ContentType}, marked {MarkName}, in place of {string.Join(", ", when)}{(settings.Mode == PolicyMode.Observe ? " (observe)" : "")}");
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask AnswerAsync(Exchange exchange, ExchangeHandler next)
    {
        var endings = exchange.EndingCount;
        await next(exchange);
        if (!StandsInFor(exchange))
        {
            return;
        }

        if (settings.Mode == PolicyMode.Observe)
        {
            exchange.Observe(Name, WouldServe);
            return;
        }

        // What waits for the end of the answer sees it as it was: a circuit its failure, a limit its cost.
        var unwanted = exchange.Outcome == Outcome.Forwarded ? Unwanted(exchange.ResponseStatus) : null;
        await AnswerDiscard.DiscardAsync(exchange);
        exchange.EndAnswer(endings);
        exchange.AnswerInstead(settings.Status, unwanted);
        exchange.ResponseBody = settings.Content.IsEmpty ? MessageBody.Empty : new BegunBody(settings.Content, rest: null);
        SetFields(exchange);
    }

    private bool StandsInFor(Exchange exchange) => exchange.Outcome switch
    {
        Outcome.Rejected => (settings.OnCircuitOpen && exchange.Rejection!.SparesUpstream) || (settings.OnLimit && exchange.Rejection!.Policy == "limits"),
        Outcome.Failed => settings.OnFailure && exchange.Failure!.Source == FailureSource.Upstream,
        Outcome.Forwarded => (settings.OnFailure && exchange.ResponseStatus is 502 or 503 or 504) || settings.Statuses.Contains(exchange.ResponseStatus),
        _ => false,
    };

    private static Failure Unwanted(int status) =>
        new(FailureSource.Upstream, FailureKind.UnwantedStatus, Retryable: false, string.Create(CultureInfo.InvariantCulture, $"The upstream answered {status}."));

    private void SetFields(Exchange exchange)
    {
        var fields = exchange.ResponseHeaders;
        fields.Add(KnownHeader.Date, time.GetUtcNow().ToString("R", CultureInfo.InvariantCulture));
        if (!settings.Content.IsEmpty)
        {
            fields.Add(KnownHeader.ContentType, Encoding.ASCII.GetBytes(settings.ContentType));
        }

        // The true answer may be back in a second: nobody may keep this one.
        fields.Add(KnownHeader.CacheControl, "no-store"u8);
        fields.Add("Tidegate-Exchange", ExchangeId.Format(exchange.Id));
        fields.Add(MarkName, exchange.Rejection?.Code ?? exchange.Failure!.Code);
        if (settings.Status >= 400 && exchange.Rejection?.RetryAfter is { } wait)
        {
            fields.Add(KnownHeader.RetryAfter, ((long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture));
        }
    }
}
