namespace Tidegate.Configuration;

/// <summary>A value that must not be shown. Printing it prints asterisks.</summary>
/// <param name="Value">The resolved value.</param>
public sealed record Secret(string Value)
{
    /// <inheritdoc/>
    public override string ToString() => "***";
}
