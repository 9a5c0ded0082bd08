using System.Globalization;
using Npgsql;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Postgres;

/// <summary>Asks PostgreSQL what <see cref="FileSource"/> asks files, in the same words. Before the first gateway has written, there is nothing, not even tables.</summary>
internal sealed class PostgresSource(NpgsqlDataSource database) : IStoreSource
{
    /// <summary>None: the database searches.</summary>
    public int SearchMegabytes => 0;

    /// <inheritdoc/>
    public IReadOnlyList<SeriesResult> Series(IReadOnlyList<SeriesQuery> queries, CancellationToken cancellationToken)
    {
        try
        {
            using var connection = database.OpenConnection();
            return SeriesScan.Run(queries, connection, cancellationToken);
        }
        catch (NpgsqlException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (PostgresException empty) when (empty.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return [.. queries.Select(query => new SeriesBuilder(query, new SeriesPoints()).Build())];
        }
    }

    /// <inheritdoc/>
    public DateTimeOffset? Begin()
    {
        try
        {
            using var connection = database.OpenConnection();
            return SeriesScan.Begin(connection);
        }
        catch (PostgresException empty) when (empty.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<ExchangeRecord> Find(ExchangeSearch search, CancellationToken cancellationToken)
    {
        try
        {
            using var connection = database.OpenConnection();
            using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Names of this program's columns; whatever comes from outside is a parameter.
            command.CommandText = $"SELECT {ExchangeTable.Names} FROM exchanges WHERE {search.Condition(command)} ORDER BY started DESC, id DESC LIMIT {search.Limit.ToString(CultureInfo.InvariantCulture)}";
#pragma warning restore CA2100
            using var cancelled = cancellationToken.UnsafeRegister(static command => ((NpgsqlCommand)command!).Cancel(), command);
            var found = new List<ExchangeRecord>();
            using var row = command.ExecuteReader();
            while (row.Read())
            {
                found.Add(ExchangeTable.Read(row));
            }

            return found;
        }
        catch (NpgsqlException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (PostgresException empty) when (empty.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedFunction)
        {
            return [];
        }
    }

    /// <inheritdoc/>
    public void Rest()
    {
        // A pool closes what nobody uses by itself.
    }

    public void Dispose()
    {
        // The connections are the store's.
    }
}
