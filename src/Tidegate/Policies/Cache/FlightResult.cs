namespace Tidegate.Policies.Cache;

/// <summary>What became of a flight once its head was there.</summary>
internal enum FlightResult
{
    /// <summary>The upstream has not answered yet.</summary>
    Asking,

    /// <summary>The answer is being stored, or is stored: everybody may read it.</summary>
    Stored,

    /// <summary>The upstream said that the stored answer still holds.</summary>
    Validated,

    /// <summary>The answer is for the exchange that asked for it alone.</summary>
    NotStored,

    /// <summary>There is no answer.</summary>
    Failed,

    /// <summary>Nobody was asked: what is wanted came into the store at the same moment.</summary>
    Withdrawn,
}
