namespace Tidegate.Policies.Limits.Signals;

/// <summary>Where a provider tells of a window.</summary>
/// <param name="Name">What the window is called.</param>
/// <param name="Field">The field that says what is left; of content the place in it.</param>
internal sealed record WindowSource(string Name, string Field)
{
    /// <summary>The fields that many agreed on.</summary>
    public static readonly WindowSource Structured = new("ratelimit", "ratelimit");

    public static WindowSource Of(WindowForm form) => new(form.Name, form.Content is { } content ? content.Remaining.Text : form.Remaining.Concat(form.UsedOfLimit).Concat(form.Used).Concat(form.Limit).FirstOrDefault() ?? "");
}
