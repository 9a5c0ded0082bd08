using Tidegate.Policies.Limits.Costs;

namespace Tidegate.Policies.Limits.Prices;

/// <summary>What a provider takes, from a day on.</summary>
internal sealed record PriceList
{
    /// <summary>Of UTC; 0 for ever.</summary>
    public required long FromTicks { get; init; }

    public required string Currency { get; init; }

    public required BilledCalls Billed { get; init; }

    /// <summary>Null: a call as such costs nothing.</summary>
    public PriceScale? PerRequest { get; init; }

    /// <summary>Null: its content costs nothing.</summary>
    public PriceScale? PerByte { get; init; }

    public PricedContent Content { get; init; }

    public IReadOnlyList<UnitPrice> Units { get; init; } = [];

    /// <summary>For <c>explain</c>.</summary>
    public required string Text { get; init; }

    /// <summary>Whether an answer's bytes are priced.</summary>
    public bool PricesResponse => PerByte is not null && Content != PricedContent.Request;

    /// <summary>Whether a number stands in an answer's content.</summary>
    public bool ReadsContent
    {
        get
        {
            for (var i = 0; i < Units.Count; i++)
            {
                if (Units[i].Json is not null)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Whether all is known when the head has come.</summary>
    public bool IsFlat => PerByte is null && Units.Count == 0;
}

/// <summary>The price of what an answer says was used.</summary>
/// <param name="Scale">The price.</param>
/// <param name="Json">Where in the answer's content the number stands.</param>
/// <param name="Less">Where the part of it stands that is another unit's; null where there is none.</param>
/// <param name="Header">Or in which field it stands.</param>
/// <param name="IsOptional">An answer without the number used none.</param>
internal sealed record UnitPrice(PriceScale Scale, JsonPointer? Json, JsonPointer? Less, byte[]? Header, bool IsOptional);

/// <summary>Which attempts a provider bills.</summary>
internal enum BilledCalls
{
    /// <summary>Each that was sent to it.</summary>
    Attempts,

    /// <summary>Each that it answered.</summary>
    Answers,

    /// <summary>Each that it answered with a status below 400.</summary>
    Successes,
}

/// <summary>Whose bytes are priced.</summary>
internal enum PricedContent
{
    Both,
    Request,
    Response,
}
