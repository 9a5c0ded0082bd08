using Npgsql;
using NpgsqlTypes;
using Tidegate.Control.Store.Segments;

namespace Tidegate.Control.Store.Postgres;

/// <summary>A row that is copied into PostgreSQL.</summary>
internal readonly struct PostgresRow(NpgsqlBinaryImporter copy) : IExchangeRow<PostgresRow>
{
    public PostgresRow AppendValue(DateTime value)
    {
        copy.Write(value, NpgsqlDbType.TimestampTz);
        return this;
    }

    public PostgresRow AppendValue(string? value)
    {
        if (value is null)
        {
            copy.WriteNull();
        }
        else
        {
            copy.Write(PostgresText.Clean(value), NpgsqlDbType.Text);
        }

        return this;
    }

    public PostgresRow AppendValue(bool value)
    {
        copy.Write(value, NpgsqlDbType.Boolean);
        return this;
    }

    public PostgresRow AppendValue(byte value)
    {
        copy.Write((short)value, NpgsqlDbType.Smallint);
        return this;
    }

    public PostgresRow AppendValue(ushort value)
    {
        copy.Write((int)value, NpgsqlDbType.Integer);
        return this;
    }

    public PostgresRow AppendValue(int value)
    {
        copy.Write(value, NpgsqlDbType.Integer);
        return this;
    }

    public PostgresRow AppendValue(long value)
    {
        copy.Write(value, NpgsqlDbType.Bigint);
        return this;
    }

    public PostgresRow AppendValue(ulong value)
    {
        copy.Write(ExchangeTable.Signed(value), NpgsqlDbType.Bigint);
        return this;
    }

    public PostgresRow AppendValue(decimal? value)
    {
        if (value is { } amount)
        {
            copy.Write(amount, NpgsqlDbType.Numeric);
        }
        else
        {
            copy.WriteNull();
        }

        return this;
    }
}
