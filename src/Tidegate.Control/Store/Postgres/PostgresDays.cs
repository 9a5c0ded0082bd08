using System.Globalization;
using Npgsql;

namespace Tidegate.Control.Store.Postgres;

/// <summary>The partitions of exchanges, one for each day (UTC).</summary>
internal static class PostgresDays
{
    private const string Prefix = "exchanges_";

    /// <summary>Whoever reads is not waited for longer, with everybody who comes after.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    /// <summary>Makes today's and tomorrow's, so that nothing that is written waits for a table.</summary>
    /// <exception cref="NpgsqlException">Not now. What is written makes what it needs itself.</exception>
    public static void MakeAhead(NpgsqlConnection database, DateTimeOffset now)
    {
        var today = DateOnly.FromDateTime(now.UtcDateTime);
        foreach (var day in (DateOnly[])[today, today.AddDays(1)])
        {
            using var transaction = database.BeginTransaction();
            Make(database, day);
            transaction.Commit();
        }
    }

    /// <summary>Makes a day's, if it is not there, in the transaction that has begun. A table that is attached keeps nobody from reading and writing the others; one that is made in its place does.</summary>
    public static void Make(NpgsqlConnection database, DateOnly day)
    {
        if (IsThere(database, day))
        {
            return;
        }

        LimitLock(database, LongestWait);
        PostgresSchema.Run(database, PostgresSchema.Lock);
        if (!IsThere(database, day))
        {
            PostgresSchema.Run(database, string.Create(CultureInfo.InvariantCulture, $"""
                CREATE TABLE {TableOf(day)} (LIKE exchanges INCLUDING ALL);
                ALTER TABLE exchanges ATTACH PARTITION {TableOf(day)} FOR VALUES FROM ('{day:yyyy-MM-dd} 00:00:00+00') TO ('{day.AddDays(1):yyyy-MM-dd} 00:00:00+00');
                """));
        }

        PostgresSchema.Run(database, "SET LOCAL lock_timeout TO DEFAULT");
    }

    /// <summary>Lets go of a day, unless another gateway is about to.</summary>
    /// <param name="database">Where.</param>
    /// <param name="day">Which.</param>
    /// <param name="wait">How long whoever reads is waited for.</param>
    /// <returns>Whether it is gone.</returns>
    /// <exception cref="NpgsqlException">Not now.</exception>
    public static bool LetGo(NpgsqlConnection database, DateOnly day, TimeSpan wait)
    {
        using var transaction = database.BeginTransaction();
        if (!PostgresSchema.TakeLock(database))
        {
            return false;
        }

        LimitLock(database, wait);
        PostgresSchema.Run(database, "DROP TABLE IF EXISTS " + TableOf(day));
        transaction.Commit();
        return true;
    }

    /// <summary>What there is, in the order of time.</summary>
    public static List<(DateOnly Day, long Bytes)> All(NpgsqlConnection database)
    {
        using var command = new NpgsqlCommand("SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'exchanges'::regclass ORDER BY 1", database);
        var days = new List<(DateOnly, long)>();
        using var row = command.ExecuteReader();
        while (row.Read())
        {
            var table = row.GetString(0);
            if (table.StartsWith(Prefix, StringComparison.Ordinal) && DateOnly.TryParseExact(table.AsSpan(Prefix.Length), "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
            {
                days.Add((day, row.IsDBNull(1) ? 0 : row.GetInt64(1)));
            }
        }

        return days;
    }

    private static void LimitLock(NpgsqlConnection database, TimeSpan wait) => PostgresSchema.Run(database, string.Create(CultureInfo.InvariantCulture, $"SET LOCAL lock_timeout = '{wait.TotalMilliseconds:F0}ms'"));

    private static string TableOf(DateOnly day) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{day:yyyyMMdd}");

    private static bool IsThere(NpgsqlConnection database, DateOnly day)
    {
        using var command = new NpgsqlCommand("SELECT to_regclass($1) IS NOT NULL", database);
        command.Parameters.Add(new NpgsqlParameter { Value = $"{PostgresSchema.Name}.{TableOf(day)}" });
        return command.ExecuteScalar() is true;
    }
}
