using System.Globalization;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Queries;

/// <summary>What all exchanges of a row are counted as.</summary>
internal readonly record struct SeriesKind(bool IsError, bool IsClientFailure, bool IsRejected, bool IsClientError, bool IsCacheHit, bool IsCacheLookup)
{
    /// <param name="values">In the order of <see cref="SeriesQuery.Dimensions"/>.</param>
    public static SeriesKind Of(IReadOnlyList<string> values)
    {
        var status = int.Parse(Value("status"), CultureInfo.InvariantCulture);
        var reason = Value("reason");
        ExchangeWords.TryOutcome(Value("outcome"), out var outcome);
        return new SeriesKind(
            ErrorRule.IsError(outcome, status, reason),
            ErrorRule.IsClientFailure(outcome, reason),
            outcome == Outcome.Rejected,
            outcome == Outcome.Forwarded && status is >= 400 and < 500,
            outcome == Outcome.ServedFromCache,
            Value("cache").Length > 0);

        string Value(string dimension) => values[SeriesQuery.Dimensions.IndexOf(dimension)];
    }
}
