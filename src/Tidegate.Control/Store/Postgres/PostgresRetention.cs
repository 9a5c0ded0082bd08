using System.Globalization;
using Npgsql;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Postgres;

/// <summary>Lets go of days that are too old or too much, and of old sums. One gateway at a time.</summary>
internal static class PostgresRetention
{
    private const string Prefix = "exchanges_";

    /// <returns>Bytes of the exchanges that are kept.</returns>
    /// <exception cref="NpgsqlException">Not now.</exception>
    public static long LetGo(NpgsqlConnection database, StoreSettings settings, DateTimeOffset now)
    {
        using var transaction = database.BeginTransaction();
        var days = Days(database);
        if (!HasLock(database))
        {
            return days.Sum(day => day.Bytes);
        }

        // Whoever reads a day that is to go is not waited for, with everybody who comes after them.
        PostgresSchema.Run(database, "SET LOCAL lock_timeout = '2s'");
        var bytes = days.Sum(day => day.Bytes);
        foreach (var day in days.Where(day => day.Day < DateOnly.FromDateTime(now.UtcDateTime)))
        {
            if (bytes > settings.MaxBytes || day.Day.AddDays(1).ToDateTime(TimeOnly.MinValue) < (now - settings.MaxAge).UtcDateTime)
            {
                PostgresSchema.Run(database, "DROP TABLE " + day.Table);
                bytes -= day.Bytes;
            }
        }

        foreach (var width in RollupWidth.All)
        {
            PostgresSchema.Run(database, $"DELETE FROM {width.Table} WHERE begin < {(now - width.Age).UtcTicks}");
        }

        PostgresSchema.Run(database, "DELETE FROM writers WHERE seen < now() - interval '1 day'");
        transaction.Commit();
        return bytes;
    }

    private static bool HasLock(NpgsqlConnection database)
    {
        using var command = new NpgsqlCommand(PostgresSchema.TryLock, database);
        return command.ExecuteScalar() is true;
    }

    /// <summary>In the order of time.</summary>
    private static List<(string Table, DateOnly Day, long Bytes)> Days(NpgsqlConnection database)
    {
        using var command = new NpgsqlCommand("SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'exchanges'::regclass ORDER BY 1", database);
        var days = new List<(string, DateOnly, long)>();
        using var row = command.ExecuteReader();
        while (row.Read())
        {
            var table = row.GetString(0);
            if (table.StartsWith(Prefix, StringComparison.Ordinal) && DateOnly.TryParseExact(table.AsSpan(Prefix.Length), "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
            {
                days.Add((table, day, row.GetInt64(1)));
            }
        }

        return days;
    }
}
