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

    /// <summary>The same, if nobody does it.</summary>
    public const string TryLock = "SELECT pg_try_advisory_xact_lock(7166381421)";

    private const string Keys = "direction, api, endpoint, method, outcome, reason, code, consumer, tenant, environment, destination, region, cache";

    /// <exception cref="NpgsqlException">It cannot be made.</exception>
    public static void Make(NpgsqlConnection database)
    {
        using var transaction = database.BeginTransaction();
        Run(database, Lock);
        Run(database, $"""
            CREATE SCHEMA IF NOT EXISTS {Name};
            CREATE TABLE IF NOT EXISTS exchanges ({ExchangeTable.All[0].Name} TIMESTAMPTZ NOT NULL) PARTITION BY RANGE (started);
            {string.Join('\n', ExchangeTable.All.Skip(1).Select(column => $"ALTER TABLE exchanges ADD COLUMN IF NOT EXISTS {column.Name} {TypeOf(column.Type)};"))}
            CREATE INDEX IF NOT EXISTS exchanges_started ON exchanges (started DESC, id DESC);
            CREATE TABLE IF NOT EXISTS writers (writer BIGINT PRIMARY KEY, batch BIGINT NOT NULL, seen TIMESTAMPTZ NOT NULL);
            CREATE TABLE IF NOT EXISTS keys (id BIGINT PRIMARY KEY, status INTEGER NOT NULL, {Keys.Replace(",", " TEXT NOT NULL,", StringComparison.Ordinal)} TEXT NOT NULL);
            CREATE OR REPLACE FUNCTION {Name}.contains(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT strpos($1, $2) > 0';
            """);
        foreach (var width in RollupWidth.All)
        {
            Run(database, $"CREATE TABLE IF NOT EXISTS {width.Table} (begin BIGINT NOT NULL, key BIGINT NOT NULL, writer BIGINT NOT NULL, sketches BYTEA NOT NULL, PRIMARY KEY (begin, key, writer))");
            foreach (var sum in RollupDatabase.Sums.Split(", "))
            {
                Run(database, $"ALTER TABLE {width.Table} ADD COLUMN IF NOT EXISTS {sum} BIGINT NOT NULL DEFAULT 0");
            }
        }

        transaction.Commit();
    }

    public static void Run(NpgsqlConnection database, string sql)
    {
        using var command = database.CreateCommand();
#pragma warning disable CA2100 // Names of this program's tables.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
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
