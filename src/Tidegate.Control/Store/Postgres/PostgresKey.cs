using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using Npgsql;
using Tidegate.Control.Store.Rollups;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Postgres;

/// <summary>A kind of exchanges in PostgreSQL: its number is a hash of its names, so that several gateways agree about it without asking one another.</summary>
internal static class PostgresKey
{
    // Nowhere in UTF-8: what begins with it is not the hash of any text of whole characters.
    private const byte NotUtf8 = 0xFF;

    public static long IdOf(in RollupKey key)
    {
        var names = new StringBuilder(256);
        foreach (var name in Names(key))
        {
            names.Append(name.Length).Append(':').Append(name);
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(BytesOf(names.ToString()), hash);
        return BinaryPrimitives.ReadInt64LittleEndian(hash);
    }

    /// <summary>Adds those that are not there, in one statement: there and back once, however many have come since.</summary>
    public static void Add(NpgsqlConnection database, IReadOnlyList<(long Id, RollupKey Key)> keys)
    {
        using var command = new NpgsqlCommand(
            """
            INSERT INTO keys (id, status, direction, api, endpoint, method, outcome, reason, code, consumer, tenant, environment, destination, region, cache)
            SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
            ON CONFLICT DO NOTHING
            """,
            database);
        command.Parameters.Add(new NpgsqlParameter { Value = keys.Select(key => key.Id).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = keys.Select(key => key.Key.Status).ToArray() });
        var names = keys.Select(key => Names(key.Key)).ToList();
        for (var column = 1; column < names[0].Count; column++)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = names.Select(row => PostgresText.Clean(row[column])).ToArray() });
        }

        command.ExecuteNonQuery();
    }

    /// <summary>UTF-8, as far as there are characters. Halves of some would all become the same one there, and so are taken as they are.</summary>
    private static ReadOnlySpan<byte> BytesOf(string text)
    {
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        if (Utf8.FromUtf16(text, bytes, out _, out var length, replaceInvalidSequences: false) == OperationStatus.Done)
        {
            return bytes.AsSpan(0, length);
        }

        bytes[0] = NotUtf8;
        var halves = MemoryMarshal.AsBytes(text.AsSpan());
        halves.CopyTo(bytes.AsSpan(1));
        return bytes.AsSpan(0, 1 + halves.Length);
    }

    /// <summary>The status first, then in the order of the table.</summary>
    private static IReadOnlyList<string> Names(RollupKey key) =>
    [
        key.Status.ToString(CultureInfo.InvariantCulture), ExchangeWords.Of(key.Direction), key.Api, key.Endpoint, key.Method, ExchangeWords.Of(key.Outcome), key.Reason, key.Code,
        key.Consumer, key.Tenant, key.Environment, key.Destination, key.Region, ExchangeWords.Of(key.Cache),
    ];
}
