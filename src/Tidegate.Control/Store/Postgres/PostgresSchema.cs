using Npgsql;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;

namespace Tidegate.Control.Store.Postgres;

/// <summary>
/// The tables in PostgreSQL, in a schema of their own: exchanges in partitions of a day, and the same sums as in SQLite, each gateway's own, which add up when they are read. Made when they
/// are not there; columns that an update adds are added.
/// </summary>
internal static class PostgresSchema
{
    public const string Name = "tidegate";

    /// <summary>For what only one gateway may do at a time.</summary>
    public const string Lock = "SELECT pg_advisory_xact_lock(7166381421)";

    private const string Exchanges = "exchanges";
    private const string Keys = "direction, api, endpoint, method, outcome, reason, code, consumer, tenant, environment, destination, region, cache";

    /// <exception cref="NpgsqlException">It cannot be made.</exception>
    public static void Make(NpgsqlConnection database)
    {
        // Another encoding refuses what it has no character for, exchange by exchange.
        if (database.PostgresParameters.TryGetValue("server_encoding", out var encoding) && encoding != "UTF8")
        {
            throw new NpgsqlException($"The database {database.Database} is encoded as {encoding}, and paths and names can have any character. Create one with ENCODING 'UTF8'.");
        }

        if (Missing(database) is not { Count: > 0 })
        {
            // Whoever only looks locks nobody out, and needs no right to make anything.
            return;
        }

        using var transaction = database.BeginTransaction();
        Run(database, Lock);
        var missing = Missing(database);
        if (missing.Contains((Exchanges, ExchangeTable.All[0].Name)))
        {
            Run(database, $"""
                CREATE SCHEMA IF NOT EXISTS {Name};
                CREATE TABLE {Exchanges} ({ExchangeTable.All[0].Name} TIMESTAMPTZ NOT NULL, id BIGINT) PARTITION BY RANGE (started);
                CREATE INDEX exchanges_started ON {Exchanges} (started DESC, id DESC);
                CREATE TABLE writers (writer BIGINT PRIMARY KEY, batch BIGINT NOT NULL, seen TIMESTAMPTZ NOT NULL);
                CREATE TABLE keys (id BIGINT PRIMARY KEY, status INTEGER NOT NULL, {Keys.Replace(",", " TEXT NOT NULL,", StringComparison.Ordinal)} TEXT NOT NULL);
                CREATE FUNCTION {Name}.contains(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT strpos($1, $2) > 0';
                {string.Join('\n', RollupWidth.All.Select(width => $"CREATE TABLE {width.Table} (begin BIGINT NOT NULL, key BIGINT NOT NULL, writer BIGINT NOT NULL, sketches BYTEA NOT NULL, PRIMARY KEY (begin, key, writer));"))}
                """);
            missing = Missing(database);
        }

        foreach (var (table, column) in missing)
        {
            var type = table == Exchanges ? TypeOf(ExchangeTable.All.First(known => known.Name == column).Type) : "BIGINT NOT NULL DEFAULT 0";
            Run(database, $"ALTER TABLE {table} ADD COLUMN {column} {type}");
        }

        transaction.Commit();
    }

    /// <summary>The same lock, if nobody has it.</summary>
    public static bool TakeLock(NpgsqlConnection database)
    {
        using var command = new NpgsqlCommand("SELECT pg_try_advisory_xact_lock(7166381421)", database);
        return command.ExecuteScalar() is true;
    }

    public static void Run(NpgsqlConnection database, string sql)
    {
        using var command = database.CreateCommand();
#pragma warning disable CA2100 // Names of this program's tables.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    /// <summary>Columns that this program writes and the database has not.</summary>
    private static List<(string Table, string Column)> Missing(NpgsqlConnection database)
    {
        var known = new HashSet<(string, string)>();
        using (var command = new NpgsqlCommand($"SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{Name}' AND a.attnum > 0 AND NOT a.attisdropped", database))
        using (var row = command.ExecuteReader())
        {
            while (row.Read())
            {
                known.Add((row.GetString(0), row.GetString(1)));
            }
        }

        return
        [
            .. ExchangeTable.All.Select(column => (Exchanges, column.Name)).Where(column => !known.Contains(column)),
            .. RollupWidth.All.SelectMany(width => RollupDatabase.Sums.Split(", ").Select(sum => (width.Table, sum))).Where(column => !known.Contains(column)),
        ];
    }

    // PostgreSQL has no numbers without a sign.
    private static string TypeOf(string type) => type switch
    {
        "TIMESTAMP" => "TIMESTAMPTZ",
        "VARCHAR" => "TEXT",
        "UBIGINT" => "BIGINT",
        "USMALLINT" => "INTEGER",
        "UTINYINT" => "SMALLINT",
        _ => type,
    };
}
