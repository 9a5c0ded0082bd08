using System.Runtime.InteropServices;
using Npgsql;
using NpgsqlTypes;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Postgres;

/// <summary>
/// Writes what came since the last time in one transaction: the batch's number, exchanges by COPY, and the sums that changed. A connection that breaks while it commits does not say whether it
/// did: the number does, the next time.
/// </summary>
/// <param name="writer">This process among all that ever wrote.</param>
internal sealed class PostgresBatch(long writer)
{
    private readonly ByteSink _bytes = new();
    private readonly HashSet<long> _knownKeys = [];
    private readonly Dictionary<RollupKey, long> _ids = [];

    // In the transaction that is under way.
    private readonly HashSet<long> _newKeys = [];
    private readonly HashSet<DateOnly> _knownDays = [];

    /// <summary>What is written to now.</summary>
    public NpgsqlConnection? Connection { get; set; }

    /// <returns>What the database does not take, for what it is and not for now.</returns>
    /// <exception cref="NpgsqlException">Nothing was written, or that is not known: the same is to be written again under the same number.</exception>
    public PostgresLoss Write(long number, IReadOnlyList<ExchangeRecord[]> records, IEnumerable<(string Table, IEnumerable<ChangedCell> Cells)> changed)
    {
        var database = Connection!;
        using var transaction = database.BeginTransaction();
        if (!TakeNumber(database, number))
        {
            return default;
        }

        // A rule that waits for the commit would refuse all of the batch, and again the next time.
        PostgresSchema.Run(database, "SET CONSTRAINTS ALL IMMEDIATE");
        MakePartitions(database, records);
        var exchanges = new PostgresSieve(transaction);
        if (!exchanges.TryWrite(() => Copy(database, records.Select(block => (ReadOnlyMemory<ExchangeRecord>)block))))
        {
            exchanges.Write<ExchangeRecord>(records.SelectMany(block => block).ToArray(), part => Copy(database, [part]));
        }

        var cells = InOrder(changed);
        _newKeys.Clear();
        var sums = new PostgresSieve(transaction);
        sums.Write<TableCell>(cells, part => Save(database, part));
        transaction.Commit();
        _knownKeys.UnionWith(_newKeys);
        if (_knownKeys.Count > 4 * RollupDelta.MaxKinds)
        {
            _knownKeys.Clear();
        }

        return new PostgresLoss(exchanges.Lost, sums.Lost, exchanges.Why ?? sums.Why);
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

    /// <summary>In the order of their keys, whatever parts of them are written: gateways that add the same keys wait for one another, and not each for the other.</summary>
    private TableCell[] InOrder(IEnumerable<(string Table, IEnumerable<ChangedCell> Cells)> changed)
    {
        // The hash is what of this costs most, and the same kinds change again and again, in every table.
        if (_ids.Count > 4 * RollupDelta.MaxKinds)
        {
            _ids.Clear();
        }

        var cells = new List<TableCell>();
        foreach (var (table, ofTable) in changed)
        {
            // One statement must not meet the same row twice: of two kinds with one number there is one sum.
            cells.AddRange(ofTable.Select(cell => new TableCell(table, IdOf(cell.Key), cell)).GroupBy(cell => (cell.Changed.Begin, cell.KeyId)).Select(Together));
        }

        return [.. cells.OrderBy(cell => cell.KeyId)];
    }

    private long IdOf(RollupKey key)
    {
        if (!_ids.TryGetValue(key, out var id))
        {
            _ids.Add(key, id = PostgresKey.IdOf(key));
        }

        return id;
    }

    private static TableCell Together(IEnumerable<TableCell> same)
    {
        var cells = same.ToList();
        if (cells.Count == 1)
        {
            return cells[0];
        }

        var sum = new RollupCell();
        cells.ForEach(cell => sum.Add(cell.Changed.Cell));
        return cells[0] with { Changed = cells[0].Changed with { Cell = sum } };
    }

    private static void Copy(NpgsqlConnection database, IEnumerable<ReadOnlyMemory<ExchangeRecord>> blocks)
    {
        using var copy = database.BeginBinaryImport($"COPY exchanges ({ExchangeTable.Names}) FROM STDIN (FORMAT BINARY)");
        foreach (var block in blocks)
        {
            foreach (ref readonly var record in block.Span)
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

        foreach (var day in days)
        {
            PostgresDays.Make(database, day);
        }

        if (_knownDays.Count > 100)
        {
            _knownDays.Clear();
        }

        // Only a commit makes them known, and trouble makes them forgotten.
        _knownDays.UnionWith(days);
    }

    private void Save(NpgsqlConnection database, ReadOnlyMemory<TableCell> part)
    {
        var cells = MemoryMarshal.ToEnumerable(part).ToList();
        var added = cells.Where(cell => !_knownKeys.Contains(cell.KeyId) && !_newKeys.Contains(cell.KeyId)).DistinctBy(cell => cell.KeyId).Select(cell => (cell.KeyId, cell.Changed.Key)).ToList();
        if (added.Count > 0)
        {
            PostgresKey.Add(database, added);
        }

        foreach (var table in cells.GroupBy(cell => cell.Table))
        {
            Save(database, table.Key, [.. table]);
        }

        _newKeys.UnionWith(added.Select(key => key.KeyId));
    }

    private void Save(NpgsqlConnection database, string table, IReadOnlyList<TableCell> cells)
    {
        var (begins, keys, sketches) = (new long[cells.Count], new long[cells.Count], new byte[cells.Count][]);
        var columns = new long[RollupCell.SumCount][];
        for (var i = 0; i < columns.Length; i++)
        {
            columns[i] = new long[cells.Count];
        }

        Span<long> sums = stackalloc long[RollupCell.SumCount];
        for (var i = 0; i < cells.Count; i++)
        {
            var cell = cells[i].Changed.Cell;
            (begins[i], keys[i]) = (cells[i].Changed.Begin, cells[i].KeyId);
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

    /// <summary>A cell that is to be saved.</summary>
    private readonly record struct TableCell(string Table, long KeyId, ChangedCell Changed);
}
