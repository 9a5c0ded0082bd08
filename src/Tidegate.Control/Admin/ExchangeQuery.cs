using System.Globalization;
using Microsoft.AspNetCore.Http;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary>What a caller of <c>/api/v1/exchanges</c> wants to see.</summary>
internal sealed record ExchangeQuery
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;

    public int Limit { get; private set; } = DefaultLimit;

    private string? Api { get; set; }

    private string? Consumer { get; set; }

    private int? Status { get; set; }

    private int? StatusClass { get; set; }

    private Outcome? Outcome { get; set; }

    private Direction? Direction { get; set; }

    /// <summary>Reads the parameters; what is wrong with them, or null.</summary>
    public static string? Parse(IQueryCollection parameters, out ExchangeQuery query)
    {
        query = new ExchangeQuery();
        foreach (var (name, values) in parameters)
        {
            if (values is not [{ } value])
            {
                return $"'{name}' is given more than once; give it once";
            }

            if (query.Set(name, value) is { } problem)
            {
                return problem;
            }
        }

        return null;
    }

    public bool Fits(ExchangeRecord record) =>
        (Api is null || record.Api == Api)
        && (Consumer is null || record.Consumer.Name == Consumer)
        && (Status is null || record.Status == Status)
        && (StatusClass is null || record.Status / 100 == StatusClass)
        && (Outcome is null || record.Outcome == Outcome)
        && (Direction is null || record.Direction == Direction);

    private string? Set(string name, string value)
    {
        switch (name)
        {
            case "limit" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= MaxLimit:
                Limit = limit;
                return null;
            case "limit":
                return $"'limit' must be a whole number from 1 to {MaxLimit}";
            case "api":
                Api = value;
                return null;
            case "consumer":
                Consumer = value;
                return null;
            case "status" when value is [>= '1' and <= '9', 'x', 'x']:
                StatusClass = value[0] - '0';
                return null;
            case "status" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var status) && status is 0 or (>= 100 and <= 999):
                Status = status;
                return null;
            case "status":
                return "'status' must be a status such as 503, a class such as 5xx, or 0 for exchanges whose client got no answer";
            case "outcome" when ExchangeWords.TryOutcome(value, out var outcome):
                Outcome = outcome;
                return null;
            case "outcome":
                return "'outcome' must be forwarded, served_from_cache, rejected or failed";
            case "direction" when value is "egress" or "ingress":
                Direction = value == "egress" ? Exchanges.Direction.Egress : Exchanges.Direction.Ingress;
                return null;
            case "direction":
                return "'direction' must be egress or ingress";
            default:
                return $"'{OneLine(name)}' is no parameter; known are limit, api, consumer, status, outcome and direction";
        }
    }

    private static string OneLine(string name) => string.Concat(name.Take(40).Select(character => char.IsControl(character) ? ' ' : character));
}
