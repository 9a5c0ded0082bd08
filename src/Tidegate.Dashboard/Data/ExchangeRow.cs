using Tidegate.Dashboard.Charts;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Dashboard.Data;

/// <summary>An exchange in a table.</summary>
public sealed record ExchangeRow(
    string Id,
    DateTimeOffset Started,
    string Direction,
    string Api,
    string Consumer,
    string Method,
    string Target,
    int Status,
    string Outcome,
    string Tone,
    string Detail,
    int Attempts,
    TimeSpan Total)
{
    internal static ExchangeRow Of(ExchangeRecord record)
    {
        var outcome = FlowMap.Outcome(ExchangeWords.Of(record.Outcome), record.Status == 0 ? "" : record.Status.ToString("000", System.Globalization.CultureInfo.InvariantCulture), record.Reason);
        return new ExchangeRow(
            ExchangeId.Format(record.Id),
            record.Started,
            ExchangeWords.Of(record.Direction),
            record.Api,
            record.Consumer.Name,
            record.Method,
            (record.Direction == Exchanges.Direction.Egress ? record.Host : "") + record.Path,
            record.Status,
            outcome,
            FlowMap.ColourOf(outcome) switch { "bad" => "bad", "warn" => "warn", "refused" => "warn", _ => "" },
            record.Code,
            record.Attempts,
            record.Total);
    }
}
