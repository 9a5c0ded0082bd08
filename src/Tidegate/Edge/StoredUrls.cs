using System.Text;

namespace Tidegate.Edge;

/// <summary>Brings a URL that is to be purged into the forms in which requests for it are stored.</summary>
internal static class StoredUrls
{
    /// <summary>Authority, path and query, once or twice: ingress merges runs of slashes and egress does not.</summary>
    /// <param name="url">Absolute, as people write it.</param>
    /// <param name="problem">Why there is none: no request could be for it.</param>
    public static IReadOnlyList<string> Of(string url, out string? problem)
    {
        var (ingress, egress) = (Target(url, isIngress: true, out problem), Target(url, isIngress: false, out _));
        return ingress is null || egress is null ? [] : ingress == egress ? [ingress] : [ingress, egress];
    }

    private static string? Target(string url, bool isIngress, out string? problem)
    {
        var fragment = url.IndexOf('#', StringComparison.Ordinal);
        var written = fragment < 0 ? url : url[..fragment];
        var result = CanonicalTarget.ParseAbsolute(Encoding.UTF8.GetBytes(AsciiHost(written)), isIngress);
        problem = result.IsTarget ? null : $"'{url}' is no absolute http or https URL that a request could have: {result.Rejection.Detail}";
        return result.IsTarget ? result.Target.Authority + result.Target.PathAndQuery : null;
    }

    /// <summary>A host with letters beyond ASCII as requests have it.</summary>
    private static string AsciiHost(string url) =>
        !Ascii.IsValid(url) && Uri.TryCreate(url, UriKind.Absolute, out var parsed) && !Ascii.IsValid(parsed.Host) && url.Contains(parsed.Host, StringComparison.OrdinalIgnoreCase)
            ? url.Replace(parsed.Host, parsed.IdnHost, StringComparison.OrdinalIgnoreCase)
            : url;
}
