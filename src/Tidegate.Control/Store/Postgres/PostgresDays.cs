using System.Globalization;
using Npgsql;

namespace Tidegate.Control.Store.Postgres;

/// <summary>The partitions of exchanges, one for each day (UTC).</summary>
internal static class PostgresDays
{
    private const string Prefix = "exchanges_";

    // Longer than whoever lets go of days has the lock while it waits.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    // Whoever reads a day by its own name is hardly waited for: everybody else would wait as well.
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(10);

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

    /// <summary>Keeps everybody from reading and writing exchanges until the transaction ends, as a day's end needs it: whoever reads any day is waited for, and whoever comes meanwhile waits as well.</summary>
    /// <param name="database">Where a transaction has begun.</param>
    /// <param name="wait">How long.</param>
    /// <exception cref="NpgsqlException">Not now.</exception>
    public static void KeepEverybodyOut(NpgsqlConnection database, TimeSpan wait)
    {
        LimitLock(database, wait > ShortestWait ? wait : ShortestWait);
        PostgresSchema.Run(database, "LOCK TABLE ONLY exchanges IN ACCESS EXCLUSIVE MODE");
    }

    /// <summary>Lets go of a day, in the transaction that keeps everybody out.</summary>
    /// <exception cref="NpgsqlException">Not now: somebody reads it by its own name.</exception>
    public static void LetGo(NpgsqlConnection database, DateOnly day)
    {
        LimitLock(database, ShortestWait);
        PostgresSchema.Run(database, "DROP TABLE IF EXISTS " + TableOf(day));
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
