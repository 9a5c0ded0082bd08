namespace Tidegate.Exchanges;

/// <summary>One of an API's several keys that the provider did not accept for a call: either the key is to blame, or the call is.</summary>
/// <param name="Number">Which, from 1; 0 is none.</param>
/// <param name="Status">What it was refused with.</param>
/// <param name="Since">Since when it is set aside for that, as a timestamp; <see cref="long.MinValue"/> when it was so before.</param>
/// <param name="Other">A second key that was refused alike, where a third is to show whose fault it is; 0 is none.</param>
internal readonly record struct SuspectedKey(int Number, int Status, long Since, int Other = 0);
