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

    public static void Add(NpgsqlConnection database, long id, RollupKey key)
    {
        using var command = new NpgsqlCommand(
            """
            INSERT INTO keys (id, status, direction, api, endpoint, method, outcome, reason, code, consumer, tenant, environment, destination, region, cache)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING
            """,
            database);
        command.Parameters.Add(new NpgsqlParameter { Value = id });
        command.Parameters.Add(new NpgsqlParameter { Value = key.Status });
        foreach (var name in Names(key).Skip(1))
        {
            command.Parameters.Add(new NpgsqlParameter { Value = PostgresText.Clean(name) });
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
