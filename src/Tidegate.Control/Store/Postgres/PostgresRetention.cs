using System.Data;
using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Postgres;

/// <summary>Lets go of days that are too old or too much, and of old sums. By the database's clock: gateways whose own differ would let go of what others still keep.</summary>
internal static class PostgresRetention
{
    // For whoever reads, all days together: meanwhile everybody waits who would read or write.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>What the database's clock says.</summary>
    public static DateTimeOffset Now(NpgsqlConnection database)
    {
        using var command = new NpgsqlCommand("SELECT now()", database);
        return new DateTimeOffset((DateTime)command.ExecuteScalar()!);
    }

    /// <summary>
    /// Lets go of days, each for itself: one that somebody reads by its name does not keep the others. Whoever reads exchanges, of whatever day, keeps all, and is waited for once. To detach a day
    /// first, concurrently, would keep nobody waiting, but who reads could keep a day half detached for long, which takes no exchange and is not made anew.
    /// </summary>
    /// <exception cref="NpgsqlException">Not now.</exception>
    public static DaysKept LetGoOfDays(NpgsqlConnection database, StoreSettings settings, DateTimeOffset now)
    {
        var days = PostgresDays.All(database);
        var bytes = days.Sum(day => day.Bytes);

        // As if every day that is to go went: one that is held, or that another gateway is about to let go of, must not cost a later one its place.
        var left = bytes;
        var wait = LongestWait;
        string? whyNone = null;
        var held = new List<(DateOnly Day, string Why)>();
        foreach (var (day, size) in days.Where(day => day.Day < DateOnly.FromDateTime(now.UtcDateTime)))
        {
            if (left <= settings.MaxBytes && day.AddDays(1).ToDateTime(TimeOnly.MinValue) >= (now - settings.MaxAge).UtcDateTime)
            {
                continue;
            }

            left -= size;
            if (whyNone is not null)
            {
                held.Add((day, whyNone));
                continue;
            }

            using var transaction = database.BeginTransaction();
            if (!PostgresSchema.TakeLock(database))
            {
                continue;
            }

            whyNone = KeepEverybodyOut(database, ref wait);
            var trouble = whyNone ?? TroubleOf(database, () =>
            {
                PostgresDays.LetGo(database, day);
                transaction.Commit();
            });
            if (trouble is null)
            {
                bytes -= size;
            }
            else
            {
                held.Add((day, trouble));
            }
        }

        return new DaysKept(bytes, held.Count == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"{held[0].Why} ({held.Count} {(held.Count == 1 ? "day" : "days")}, the first {held[0].Day:yyyy-MM-dd})"));
    }

    /// <param name="database">Where a transaction has begun.</param>
    /// <param name="wait">How long whoever reads is waited for, and what of it is left.</param>
    /// <returns>Why not now; null when nobody reads.</returns>
    private static string? KeepEverybodyOut(NpgsqlConnection database, ref TimeSpan wait)
    {
        var (most, began) = (wait, Stopwatch.GetTimestamp());
        var trouble = TroubleOf(database, () => PostgresDays.KeepEverybodyOut(database, most));
        wait -= Stopwatch.GetElapsedTime(began);
        return trouble;
    }

    /// <summary>What the database says against it; null when nothing.</summary>
    private static string? TroubleOf(NpgsqlConnection database, Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (PostgresException why) when (database.FullState == ConnectionState.Open)
        {
            return why.Message;
        }
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
