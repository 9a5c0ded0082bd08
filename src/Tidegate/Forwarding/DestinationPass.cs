namespace Tidegate.Forwarding;

/// <summary>An attempt that may be made at a destination; given back with its result.</summary>
/// <param name="Index">Which of the upstream's destinations.</param>
/// <param name="Generation">What was known of it when the attempt began: results of what began before say nothing new.</param>
/// <param name="IsProbe">It was left out, and this attempt is to find out whether it is back. Others pass it over meanwhile.</param>
internal readonly record struct DestinationPass(int Index, long Generation, bool IsProbe = false);
