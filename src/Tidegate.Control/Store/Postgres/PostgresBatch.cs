using System.Globalization;
using Npgsql;
using NpgsqlTypes;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Postgres;

/// <summary>
/// Writes what came since the last time in one transaction: exchanges by COPY, the sums that changed, and the batch's number. A connection that breaks while it commits does not say whether it
/// did: the number does, the next time.
/// </summary>
/// <param name="writer">This process among all that ever wrote.</param>
internal sealed class PostgresBatch(long writer)
{
    private readonly ByteSink _bytes = new();
    private readonly HashSet<long> _knownKeys = [];
    private readonly SortedDictionary<long, RollupKey> _newKeys = [];
    private readonly HashSet<DateOnly> _knownDays = [];

    /// <summary>What is written to now.</summary>
    public NpgsqlConnection? Connection { get; set; }

    /// <exception cref="NpgsqlException">Nothing was written, or that is not known: the same is to be written again under the same number.</exception>
    public void Write(long number, IReadOnlyList<ExchangeRecord[]> records, IEnumerable<(string Table, IEnumerable<ChangedCell> Cells)> changed)
    {
        var database = Connection!;
        using var transaction = database.BeginTransaction();
        if (!TakeNumber(database, number))
        {
            return;
        }

        MakePartitions(database, records);
        Copy(database, records);
        var tables = changed.Select(table => (table.Table, Cells: (IReadOnlyList<ChangedCell>)[.. table.Cells])).ToList();
        AddKeys(database, tables.SelectMany(table => table.Cells));
        foreach (var (table, cells) in tables)
        {
            Save(database, table, cells);
        }

        transaction.Commit();
        _knownKeys.UnionWith(_newKeys.Keys);
        if (_knownKeys.Count > 4 * RollupDelta.MaxKinds)
        {
            _knownKeys.Clear();
        }
    }

    /// <summary>What this process saved of a cell that it has forgotten since.</summary>
    public RollupCell Load(string table, long begin, RollupKey key)
    {
        var cell = new RollupCell();
#pragma warning disable CA2100 // Names of this program's tables.
        using var command = new NpgsqlCommand($"SELECT sketches, {RollupDatabase.Sums} FROM {table} WHERE begin = $1 AND key = $2 AND writer = $3", Connection);
#pragma warning restore CA2100
        foreach (var value in (long[])[begin, PostgresKey.IdOf(key), writer])
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        using var row = command.ExecuteReader();
        if (row.Read())
        {
            Span<long> sums = stackalloc long[RollupCell.SumCount];
            for (var i = 0; i < sums.Length; i++)
            {
                sums[i] = row.GetInt64(1 + i);
            }

            cell.AddSaved(sums, row.GetFieldValue<byte[]>(0), new TextPool());
        }

        return cell;
    }

    /// <summary>The database may be another one now.</summary>
    public void Forget()
    {
        _knownKeys.Clear();
        _knownDays.Clear();
    }

    private static void Copy(NpgsqlConnection database, IReadOnlyList<ExchangeRecord[]> records)
    {
        using var copy = database.BeginBinaryImport($"COPY exchanges ({ExchangeTable.Names}) FROM STDIN (FORMAT BINARY)");
        foreach (var block in records)
        {
            foreach (ref readonly var record in block.AsSpan())
            {
                copy.StartRow();
                ExchangeTable.Add(new PostgresRow(copy), in record);
            }
        }

        copy.Complete();
    }

    /// <summary>Whether the batch is not there yet. The first statement: while a commit of the same batch is still under way it waits for that one's end, and so learns how it ended.</summary>
    private bool TakeNumber(NpgsqlConnection database, long number)
    {
        using var command = new NpgsqlCommand(
            "INSERT INTO writers (writer, batch, seen) VALUES ($1, $2, now()) ON CONFLICT (writer) DO UPDATE SET batch = EXCLUDED.batch, seen = EXCLUDED.seen WHERE writers.batch < EXCLUDED.batch",
            database);
        command.Parameters.Add(new NpgsqlParameter { Value = writer });
        command.Parameters.Add(new NpgsqlParameter { Value = number });
        return command.ExecuteNonQuery() > 0;
    }

    private void MakePartitions(NpgsqlConnection database, IReadOnlyList<ExchangeRecord[]> records)
    {
        var days = records.SelectMany(block => block.Select(record => DateOnly.FromDateTime(record.Started.UtcDateTime))).Distinct().Where(day => !_knownDays.Contains(day)).ToList();
        if (days.Count == 0)
        {
            return;
        }

        PostgresSchema.Run(database, PostgresSchema.Lock);
        foreach (var day in days)
        {
            PostgresSchema.Run(database, string.Create(CultureInfo.InvariantCulture, $"CREATE TABLE IF NOT EXISTS exchanges_{day:yyyyMMdd} PARTITION OF exchanges FOR VALUES FROM ('{day:yyyy-MM-dd} 00:00:00+00') TO ('{day.AddDays(1):yyyy-MM-dd} 00:00:00+00')"));
        }

        if (_knownDays.Count > 100)
        {
            _knownDays.Clear();
        }

        // Only a commit makes them known, and trouble makes them forgotten.
        _knownDays.UnionWith(days);
    }

    /// <summary>In the order of their numbers, so that gateways that add the same ones wait for one another and not each for the other.</summary>
    private void AddKeys(NpgsqlConnection database, IEnumerable<ChangedCell> cells)
    {
        _newKeys.Clear();
        foreach (var key in cells.Select(cell => cell.Key).Distinct())
        {
            var id = PostgresKey.IdOf(key);
            if (!_knownKeys.Contains(id))
            {
                _newKeys[id] = key;
            }
        }

        foreach (var (id, key) in _newKeys)
        {
            PostgresKey.Add(database, id, key);
        }
    }

    private void Save(NpgsqlConnection database, string table, IReadOnlyList<ChangedCell> cells)
    {
        if (cells.Count == 0)
        {
            return;
        }

        var (begins, keys, sketches) = (new long[cells.Count], new long[cells.Count], new byte[cells.Count][]);
        var columns = new long[RollupCell.SumCount][];
        for (var i = 0; i < columns.Length; i++)
        {
            columns[i] = new long[cells.Count];
        }

        Span<long> sums = stackalloc long[RollupCell.SumCount];
        for (var i = 0; i < cells.Count; i++)
        {
            var (begin, key, cell) = cells[i];
            (begins[i], keys[i]) = (begin, PostgresKey.IdOf(key));
            cell.CopySums(sums);
            for (var column = 0; column < columns.Length; column++)
            {
                columns[column][i] = sums[column];
            }

            _bytes.Clear();
            cell.WriteSketches(_bytes);
            sketches[i] = _bytes.Written.ToArray();
        }

        var names = RollupDatabase.Sums.Split(", ");
#pragma warning disable CA2100 // Names of this program's tables and columns.
        using var command = new NpgsqlCommand(
            $"""
            INSERT INTO {table} (writer, begin, key, sketches, {RollupDatabase.Sums})
            SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], {string.Join(", ", names.Select((_, i) => $"${5 + i}::bigint[]"))})
            ON CONFLICT (begin, key, writer) DO UPDATE SET sketches = EXCLUDED.sketches, {string.Join(", ", names.Select(name => $"{name} = EXCLUDED.{name}"))}
            """,
            database);
#pragma warning restore CA2100
        command.Parameters.Add(new NpgsqlParameter { Value = writer });
        command.Parameters.Add(new NpgsqlParameter { Value = begins });
        command.Parameters.Add(new NpgsqlParameter { Value = keys });
        command.Parameters.Add(new NpgsqlParameter { Value = sketches, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea });
        foreach (var column in columns)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = column });
        }

        command.ExecuteNonQuery();
    }
}
