using System.Globalization;
using System.Text;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Prices;

namespace Tidegate.Configuration;

/// <summary>Compiles what an API's calls cost, and its endpoints', whose prices take the place of the API's.</summary>
internal sealed class CostCompiler(ConfigPositions positions, List<ConfigProblem> problems, LimitStore store)
{
    // What is priced by itself is counted under these names.
    private const string Requests = "requests";
    private const string Bytes = "bytes";

    private readonly Dictionary<string, CostPolicy?> _made = [];

    /// <summary>Whether a configuration has prices that depend on what was used before.</summary>
    public static bool HasTiers(GatewayConfig config) => config.Apis.SelectMany(api => api.Cost.Concat(api.Endpoints.SelectMany(endpoint => endpoint.Cost)))
        .Any(price => price.PerRequest.Count > 1 || price.PerSize.Count > 1 || price.Units.Any(unit => unit.Price.Count > 1));

    /// <summary>The default of <c>billed</c>.</summary>
    public static BilledCalls BilledOf(PriceConfig price) => price.Billed ?? (price.PerRequest.Count == 0 && price.PerSize.Count == 0 ? BilledCalls.Successes : BilledCalls.Attempts);

    /// <summary>The policy that meters a route; none where no price is known.</summary>
    public IEnumerable<IPolicy> Compile(ApiConfig api, EndpointConfig? endpoint)
    {
        var isOwn = endpoint is { Cost.Count: > 0 };
        var scope = isOwn ? api.Name + " " + SnapshotCompiler.EndpointName(endpoint!) : api.Name;
        if (!_made.TryGetValue(scope, out var policy))
        {
            _made[scope] = policy = Make(isOwn ? endpoint! : api, isOwn ? endpoint!.Cost : api.Cost, scope);
        }

        return policy is null ? [] : [policy];
    }

    private CostPolicy? Make(object owner, IReadOnlyList<PriceConfig> prices, string scope)
    {
        // In an earlier version units with these names had one count with what is priced by itself.
        var shared = new HashSet<string>();
        if (prices.Any(price => price.PerRequest.Count > 1))
        {
            shared.Add(Requests);
        }

        if (prices.Any(price => price.PerSize.Count > 1))
        {
            shared.Add(Bytes);
        }

        var lists = new List<PriceList>();
        foreach (var price in prices)
        {
            if (List(price, scope, shared) is not { } list)
            {
                continue;
            }

            if (lists.Exists(other => other.FromTicks == list.FromTicks))
            {
                Problem(owner, "cost", list.FromTicks == 0 ? "two prices hold always; say with from which day the later one holds" : $"two prices hold from {price.From}");
            }

            lists.Add(list);
        }

        return lists.Count == 0 ? null : new CostPolicy([.. lists.OrderBy(list => list.FromTicks)], store.Time);
    }

    private PriceList? List(PriceConfig price, string scope, HashSet<string> shared)
    {
        if (price.PerRequest.Count == 0 && price.PerSize.Count == 0 && price.Units.Count == 0)
        {
            Problem(price, null, "a price has per_request, per_size or units");
            return null;
        }

        if (price.Content is not null && price.PerSize.Count == 0)
        {
            Problem(price, "content", "content belongs to per_size");
        }

        if (price.Units.Count > CostMeter.MaxUnits)
        {
            Problem(price, "units", $"at most {CostMeter.MaxUnits} units can be priced together");
            return null;
        }

        var from = 0L;
        if (price.From is { } day)
        {
            if (!DateOnly.TryParseExact(day, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
            {
                Problem(price, "from", $"'{day}' is no day; write it as 2026-11-25");
            }

            from = date.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc).Ticks;
        }

        var scales = new ScaleCompiler(this, store, scope, shared);
        var perRequest = scales.Compile(price.PerRequest, Requests, isOfSize: false);
        var perByte = scales.Compile(price.PerSize, Bytes, isOfSize: true);
        var names = new HashSet<string>();
        var units = new List<UnitPrice>();
        foreach (var unit in price.Units)
        {
            if (!names.Add(unit.Name))
            {
                Problem(unit, "name", $"there are two units named '{unit.Name}' here");
            }

            if (Unit(unit, scales) is { } made)
            {
                units.Add(made);
            }
        }

        var parts = (string?[])[perRequest is null ? null : perRequest.Text + " each request", perByte is null ? null : perByte.Text + " of content", .. units.Zip(price.Units, (unit, config) => unit.Scale.Text + " of " + config.Name)];
        var billed = BilledOf(price);
        return scales.Currency is null ? null : new PriceList
        {
            FromTicks = from,
            Currency = scales.Currency,
            Billed = billed,
            PerRequest = perRequest,
            PerByte = perByte,
            Content = price.Content ?? PricedContent.Both,
            Units = units,
            Text = string.Join(", ", parts.OfType<string>()) + (billed switch { BilledCalls.Attempts => ", of every attempt", BilledCalls.Answers => ", of every answer", _ => ", of every answer below 400" }),
        };
    }

    private UnitPrice? Unit(UnitPriceConfig unit, ScaleCompiler scales)
    {
        if (unit.ResponseJson is null == unit.ResponseHeader is null)
        {
            Problem(unit, null, "a unit's number stands in response_json or in response_header; write one of them");
            return null;
        }

        if (unit.Less is not null && unit.ResponseJson is null)
        {
            Problem(unit, "less", "less belongs to response_json");
        }

        var json = Pointer(unit, "response_json", unit.ResponseJson);
        var less = Pointer(unit, "less", unit.Less);
        return scales.Compile(unit.Price, unit.Name, isOfSize: false, unit) is { } scale && (json is not null || unit.ResponseHeader is not null)
            ? new UnitPrice(scale, json, less, unit.ResponseHeader is { } header ? Encoding.ASCII.GetBytes(header.ToLowerInvariant()) : null, unit.Optional)
            : null;
    }

    private JsonPointer? Pointer(UnitPriceConfig unit, string key, string? text)
    {
        var pointer = text is null ? null : JsonPointer.TryParse(text);
        if (text is not null && pointer is null)
        {
            Problem(unit, key, $"'{text}' is no JSON pointer to a field; write /usage/total_tokens, with at most {JsonPointer.MaxSegments} parts");
        }

        return pointer;
    }

    private void Problem(object record, string? key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));

    /// <summary>The scales of one list, which has one currency.</summary>
    private sealed class ScaleCompiler(CostCompiler compiler, LimitStore store, string scope, HashSet<string> shared)
    {
        public string? Currency { get; private set; }

        public PriceScale? Compile(IReadOnlyList<PriceTierConfig> tiers, string name, bool isOfSize, UnitPriceConfig? unit = null)
        {
            var made = new List<PriceTier>();
            var before = 0m;
            for (var i = 0; i < tiers.Count; i++)
            {
                if (Tier(tiers[i], isOfSize, isOfUnit: unit is not null, isLast: i == tiers.Count - 1, before) is not { } tier)
                {
                    return null;
                }

                before = tier.UpTo;
                made.Add(tier);
            }

            if (unit is not null && made.Count == 0)
            {
                compiler.Problem(unit, "price", "price is empty; write for example 2.50 USD/1000000");
            }

            return made.Count == 0 ? null : new PriceScale(made, made.Count == 1 ? null : unit is null ? MonthlyUse.OfWhole(store, scope, name) : MonthlyUse.OfUnits(store, scope, name, shared.Contains(name)));
        }

        private PriceTier? Tier(PriceTierConfig config, bool isOfSize, bool isOfUnit, bool isLast, decimal before)
        {
            if (!MoneyText.TryParse(config.Price, out var money) || money.IsOfSize != isOfSize)
            {
                compiler.Problem(config, "price", $"'{config.Price}' is no price here; write " + (isOfSize ? "amount, currency and size, for example 0.09 USD/GB" : "amount and currency, for example 0.002 USD or 2.50 USD/1000000"));
                return null;
            }

            if ((Currency ??= money.Currency) != money.Currency)
            {
                compiler.Problem(config, "price", $"the prices before are in {Currency}; one provider's bill has one currency");
                return null;
            }

            if (isLast != config.UpTo is null)
            {
                compiler.Problem(config, isLast ? "up_to" : null, isLast ? "the last tier holds for all that follows; remove up_to" : "every tier but the last says with up_to where it ends");
                return null;
            }

            if (config.UpTo is null)
            {
                return new PriceTier(PriceTier.NoEnd, money.Amount, money.Per, config.Price);
            }

            var isNumber = isOfSize ? ScalarParser.TrySize(config.UpTo, out var upTo) : long.TryParse(config.UpTo, NumberStyles.None, CultureInfo.InvariantCulture, out upTo);
            if (isNumber && isOfUnit && upTo > MonthlyUse.MaxUnits)
            {
                compiler.Problem(config, "up_to", $"'{config.UpTo}' does not end a tier here; write a whole number, at most {MonthlyUse.MaxUnits}");
                return null;
            }

            if (!isNumber || upTo <= before)
            {
                compiler.Problem(config, "up_to", $"'{config.UpTo}' does not end a tier here; write " + (isOfSize ? "a size, for example 10GB" : "a whole number") + (before > 0 ? ", larger than the one before" : ""));
                return null;
            }

            return new PriceTier(upTo, money.Amount, money.Per, $"{config.Price} up to {config.UpTo}");
        }
    }
}
