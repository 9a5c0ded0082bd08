using Npgsql;

namespace Tidegate.Control.Store.Postgres;

/// <summary>
/// Writes all of something that the database takes: where it refuses data, the halves are tried for themselves, down to the single ones that it refuses. They would be refused the next time too, and
/// must not take the rest with them. Not thread-safe.
/// </summary>
internal sealed class PostgresSieve(NpgsqlTransaction transaction)
{
    // Seventy among twenty thousand. More is a database that takes nothing, and each try costs a way there and back: the rest is lost with them.
    private const int MaxTries = 2_000;

    private const string Savepoint = "part";

    // Classes of SQLSTATE: more or fewer rows than there may be, values that are none, and rules of a table.
    private static readonly string[] OfWhatItIs = ["21", "22", "23"];

    private int _tries;

    /// <summary>How many the database did not take.</summary>
    public int Lost { get; private set; }

    /// <summary>What it said of the last of them; null when it took everything.</summary>
    public string? Why { get; private set; }

    /// <summary>Writes all of something; false, as if nothing had been written, where the database refuses some of it for what it is.</summary>
    public bool TryWrite(Action write)
    {
        _tries++;
        transaction.Save(Savepoint);
        try
        {
            write();
            transaction.Release(Savepoint);
            return true;
        }
        catch (PostgresException refused) when (IsOfWhatItIs(refused))
        {
            transaction.Rollback(Savepoint);
            transaction.Release(Savepoint);
            Why = refused.MessageText;
            return false;
        }
    }

    /// <summary>Writes what of something the database takes.</summary>
    public void Write<T>(ReadOnlyMemory<T> items, Action<ReadOnlyMemory<T>> write)
    {
        if (items.IsEmpty || (_tries < MaxTries && TryWrite(() => write(items))))
        {
            return;
        }

        if (items.Length == 1 || _tries >= MaxTries)
        {
            Lost += items.Length;
            return;
        }

        Write(items[..(items.Length / 2)], write);
        Write(items[(items.Length / 2)..], write);
    }

    // A day that has no table breaks a rule too: it will have one the next time. A rule that somebody added may look the same, but for where in PostgreSQL it is refused.
    private static bool IsOfWhatItIs(PostgresException refused) =>
        OfWhatItIs.Any(state => refused.SqlState.StartsWith(state, StringComparison.Ordinal)) && !(refused.SqlState == PostgresErrorCodes.CheckViolation && refused.Routine == "ExecFindPartition");
}

/// <summary>What a batch was written without.</summary>
/// <param name="Records">Exchanges.</param>
/// <param name="Sums">Sums; each is tried again when it changes.</param>
/// <param name="Why">What the database said; null when nothing is missing.</param>
internal readonly record struct PostgresLoss(int Records, int Sums, string? Why);
