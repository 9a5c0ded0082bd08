using System.Text.Json;
using Tidegate.Control.Store.Rollups;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary>Sums of costs, as every document of the admin API has them.</summary>
internal static class CostDocument
{
    public static void Write(Utf8JsonWriter json, CostSums costs)
    {
        json.WriteStartObject("cost");
        foreach (var (currency, amount) in costs.Amounts.OrderBy(cost => cost.Currency, StringComparer.Ordinal))
        {
            json.WriteNumber(currency, Amounts.Plain(amount));
        }

        json.WriteEndObject();
        json.WriteNumber("cost_attempts", costs.Billed);
        json.WriteNumber("cost_unknown", costs.Unknown);
    }
}
