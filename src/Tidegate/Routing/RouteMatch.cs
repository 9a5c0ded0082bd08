namespace Tidegate.Routing;

/// <summary>What the table found.</summary>
/// <param name="Route">The most specific route; null when none fits.</param>
/// <param name="Path">For base-URL calls: the canonical path without the base path. Else the target's own path.</param>
public readonly record struct RouteMatch(Route? Route, string Path);
