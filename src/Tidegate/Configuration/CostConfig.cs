using Tidegate.Policies.Limits.Prices;

namespace Tidegate.Configuration;

internal sealed record PriceConfig
{
    [Doc("The day from which these prices hold, in UTC, as 2026-11-25. Before the first the cost is unknown. Default: always.")]
    public string? From { get; init; }

    [Doc("Which requests the provider bills: attempts (each that was sent to it, retries and hedges too), answers (each that it answered) or successes (with a status below 400). Default: attempts; successes where only units have a price, because errors do not say how many they used.")]
    public BilledCalls? Billed { get; init; }

    [Doc("Of each request, for example 0.002 USD. With tiers a list.")]
    public IReadOnlyList<PriceTierConfig> PerRequest { get; init; } = [];

    [Doc("Of content, for example 0.09 USD/GB (2^30 bytes).")]
    public IReadOnlyList<PriceTierConfig> PerSize { get; init; } = [];

    [Doc("Whose content per_size is about: request, response or both. Default: both.")]
    public PricedContent? Content { get; init; }

    [Doc("Of what an answer says was used, such as tokens.")]
    public IReadOnlyList<UnitPriceConfig> Units { get; init; } = [];
}

[ShortForm("price")]
internal sealed record PriceTierConfig
{
    [Doc("Until so many were used in a month of UTC, for example 1000000 or 10GB; the last tier has no end. Default: no end.")]
    public string? UpTo { get; init; }

    [Doc("Amount and currency, for example 0.002 USD; for so many at once 2.50 USD/1000000, of content 0.09 USD/GB. At most 12 digits after the point.")]
    public required string Price { get; init; }
}

internal sealed record UnitPriceConfig
{
    [Doc("What is counted, for example input_tokens. Unique here.")]
    public required string Name { get; init; }

    [Doc("For example 2.50 USD/1000000.")]
    public required IReadOnlyList<PriceTierConfig> Price { get; init; }

    [Doc("Where in the answer's JSON, or in the last event of a stream that has it, the number stands: /usage/prompt_tokens. The upstream is asked for content without compression.")]
    public string? ResponseJson { get; init; }

    [Doc("Where in it the part stands that is priced as another unit and taken off: /usage/prompt_tokens_details/cached_tokens. Not there means none.")]
    public string? Less { get; init; }

    [Doc("Or the field of the answer that holds the number.")]
    public string? ResponseHeader { get; init; }

    [Doc("An answer that does not have the number used none. Default: false, its cost is unknown.")]
    public bool Optional { get; init; }
}
