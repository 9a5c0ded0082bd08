namespace Tidegate.Exchanges;

/// <summary>One of several keys that an API's provider knows us by. Says which, never what it is.</summary>
/// <param name="Name">As configured; stands in records and metrics.</param>
/// <param name="Identity">Another for another value, from which the value cannot be found.</param>
internal sealed record ProviderKey(string Name, UInt128 Identity);
