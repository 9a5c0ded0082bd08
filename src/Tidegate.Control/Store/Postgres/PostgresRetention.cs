using System.Data;
using System.Globalization;
using Npgsql;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Postgres;

/// <summary>Lets go of days that are too old or too much, and of old sums. By the database's clock: gateways whose own differ would let go of what others still keep.</summary>
internal static class PostgresRetention
{
    // Where somebody reads every day: what is to be written waits meanwhile.
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(10);

    /// <summary>What the database's clock says.</summary>
    public static DateTimeOffset Now(NpgsqlConnection database)
    {
        using var command = new NpgsqlCommand("SELECT now()", database);
        return new DateTimeOffset((DateTime)command.ExecuteScalar()!);
    }

    /// <summary>Lets go of days, each for itself: one that somebody reads does not keep the others, and is waited for the less the more there are of its kind.</summary>
    /// <exception cref="NpgsqlException">Not now.</exception>
    public static DaysKept LetGoOfDays(NpgsqlConnection database, StoreSettings settings, DateTimeOffset now)
    {
        var days = PostgresDays.All(database);
        var bytes = days.Sum(day => day.Bytes);

        // As if every day that is to go went: one that is held, or that another gateway is about to let go of, must not cost a later one its place.
        var left = bytes;
        var wait = PostgresDays.LongestWait;
        var held = new List<(DateOnly Day, string Why)>();
        foreach (var (day, size) in days.Where(day => day.Day < DateOnly.FromDateTime(now.UtcDateTime)))
        {
            if (left <= settings.MaxBytes && day.AddDays(1).ToDateTime(TimeOnly.MinValue) >= (now - settings.MaxAge).UtcDateTime)
            {
                continue;
            }

            left -= size;
            try
            {
                bytes -= PostgresDays.LetGo(database, day, wait) ? size : 0;
            }
            catch (PostgresException why) when (database.FullState == ConnectionState.Open)
            {
                held.Add((day, why.Message));
                wait = wait / 2 > ShortestWait ? wait / 2 : ShortestWait;
            }
        }

        return new DaysKept(bytes, held.Count == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"{held[0].Why} ({held.Count} {(held.Count == 1 ? "day" : "days")}, the first {held[0].Day:yyyy-MM-dd})"));
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

/// <summary>What is left when old days were let go of.</summary>
/// <param name="Bytes">Of the exchanges that are kept.</param>
/// <param name="Trouble">Why some that are old are among them; null when none is.</param>
internal readonly record struct DaysKept(long Bytes, string? Trouble);
