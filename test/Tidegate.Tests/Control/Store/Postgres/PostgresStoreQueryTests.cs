using Npgsql;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Postgres;
using Xunit;

namespace Tidegate.Tests.Control.Store.Postgres;

public sealed class PostgresStoreQueryTests(PostgresServer server) : StoreQueryTests, IClassFixture<PostgresServer>
{
    private protected override IExchangeStore Open()
    {
        Assert.SkipWhen(server.Cluster is null, PostgresServer.Missing);
        var address = PostgresAddress.Parse(server.Cluster!.Address)!;
        using (var connection = new NpgsqlConnection(address))
        {
            connection.Open();
            PostgresSchema.Run(connection, "DROP SCHEMA IF EXISTS tidegate CASCADE");
        }

        // Who asks may come before the first that writes.
        return new PostgresStore(address, new StoreSettings { Directory = "", MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) }, line => throw new InvalidOperationException(line), Time, databaseNow: _ => Time.GetUtcNow());
    }

    private protected override void Bring(IExchangeStore store) => ((PostgresStore)store).BringToDatabase();
}
