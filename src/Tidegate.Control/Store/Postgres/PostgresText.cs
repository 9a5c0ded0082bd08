using System.Text;

namespace Tidegate.Control.Store.Postgres;

/// <summary>Text as PostgreSQL keeps it: whatever is no character there is one that stands for it.</summary>
internal static class PostgresText
{
    public static string Clean(string text) =>
        text.Contains('\0', StringComparison.Ordinal) || text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')
            // Halves of a pair that stand alone are replaced on the way to UTF-8.
            ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).Replace('\0', '\uFFFD')
            : text;
}
