using Npgsql;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Postgres;

/// <summary>Lets go of days that are too old or too much, and of old sums. By the database's clock: gateways whose own differ would let go of what others still keep.</summary>
internal static class PostgresRetention
{
    /// <summary>What the database's clock says.</summary>
    public static DateTimeOffset Now(NpgsqlConnection database)
    {
        using var command = new NpgsqlCommand("SELECT now()", database);
        return new DateTimeOffset((DateTime)command.ExecuteScalar()!);
    }

    /// <summary>Lets go of days, each for itself: one that somebody reads does not keep the others.</summary>
    /// <returns>Bytes of the exchanges that are kept.</returns>
    /// <exception cref="NpgsqlException">Not now.</exception>
    public static long LetGoOfDays(NpgsqlConnection database, StoreSettings settings, DateTimeOffset now)
    {
        var days = PostgresDays.All(database);
        var bytes = days.Sum(day => day.Bytes);
        foreach (var (day, size) in days.Where(day => day.Day < DateOnly.FromDateTime(now.UtcDateTime)))
        {
            if ((bytes > settings.MaxBytes || day.AddDays(1).ToDateTime(TimeOnly.MinValue) < (now - settings.MaxAge).UtcDateTime) && PostgresDays.LetGo(database, day))
            {
                bytes -= size;
            }
        }

        return bytes;
    }

    /// <summary>Lets go of old sums, and of who wrote long ago, unless another gateway is about to.</summary>
    /// <exception cref="NpgsqlException">Not now.</exception>
    public static void LetGoOfSums(NpgsqlConnection database, DateTimeOffset now)
    {
        using var transaction = database.BeginTransaction();
        if (!PostgresSchema.TakeLock(database))
        {
            return;
        }

        foreach (var width in RollupWidth.All)
        {
            PostgresSchema.Run(database, $"DELETE FROM {width.Table} WHERE begin < {(now - width.Age).UtcTicks}");
        }

        // Longer than any outage after which the same batch could come again.
        PostgresSchema.Run(database, "DELETE FROM writers WHERE seen < now() - interval '30 days'");
        transaction.Commit();
    }
}
