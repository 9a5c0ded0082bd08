namespace Tidegate.Dashboard.Data;

/// <summary>A destination in a table.</summary>
/// <param name="Name">As scheme, host and port.</param>
/// <param name="Sums">Of the exchanges whose last attempt went there; null when there was none in the shown time.</param>
/// <param name="State">As it is now; null where the configuration does not name it.</param>
public sealed record DestinationRow(string Name, GroupRow? Sums, DestinationState? State)
{
    // Where callers choose the host there is no end of them.
    private const int MostOthers = 12;

    /// <summary>Every destination that is configured, those that are left out first, and the most called others.</summary>
    internal static IReadOnlyList<DestinationRow> Of(IReadOnlyList<GroupRow> called, IReadOnlyList<DestinationState> configured)
    {
        var sums = called.ToDictionary(row => row.Names[0], StringComparer.Ordinal);
        var names = configured.Select(state => state.Name).ToHashSet(StringComparer.Ordinal);
        return
        [
            .. configured.Select(state => new DestinationRow(state.Name, sums.GetValueOrDefault(state.Name), state)).OrderByDescending(row => row.State!.IsEjected).ThenByDescending(row => row.Sums?.Now.Calls ?? 0),
            .. called.Where(row => !names.Contains(row.Names[0])).Take(MostOthers).Select(row => new DestinationRow(row.Names[0], row, null)),
        ];
    }
}
