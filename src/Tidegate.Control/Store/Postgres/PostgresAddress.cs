using Npgsql;

namespace Tidegate.Control.Store.Postgres;

/// <summary>Where a database is: as a URL, postgresql://user:password@host/database, or as a connection string of Npgsql.</summary>
internal static class PostgresAddress
{
    // A database that does not answer must not hold what comes after it.
    private const int ConnectSeconds = 5;
    private const int CommandSeconds = 20;

    /// <summary>The connection string; null when it is none.</summary>
    public static string? Parse(string text)
    {
        try
        {
            var address = Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "postgresql" or "postgres" ? OfUrl(url!) : new NpgsqlConnectionStringBuilder(text);
            if (string.IsNullOrEmpty(address.Host))
            {
                return null;
            }

            address.ApplicationName ??= "tidegate";
            address.SearchPath = PostgresSchema.Name;
            address.Timeout = ConnectSeconds;
            address.CommandTimeout = CommandSeconds;
            address.MaxPoolSize = 6;
            address.Enlist = false;
            return address.ConnectionString;
        }
        catch (Exception strange) when (strange is ArgumentException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    private static NpgsqlConnectionStringBuilder OfUrl(Uri url)
    {
        var user = url.UserInfo.Split(':', 2);
        var address = new NpgsqlConnectionStringBuilder { Host = url.Host, Port = url.Port > 0 ? url.Port : 5432, Database = Uri.UnescapeDataString(url.AbsolutePath.TrimStart('/')) };
        if (user[0].Length > 0)
        {
            address.Username = Uri.UnescapeDataString(user[0]);
        }

        if (user.Length > 1)
        {
            address.Password = Uri.UnescapeDataString(user[1]);
        }

        foreach (var option in url.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = option.Split('=', 2);
            var (name, value) = (Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "");

            // As libpq writes it, verify-full, and as Npgsql does, VerifyFull.
            var isSslMode = name is "sslmode" or "SSL Mode";
            address[isSslMode ? "SSL Mode" : name] = isSslMode ? value.Replace("-", "", StringComparison.Ordinal) : value;
        }

        return address;
    }
}
