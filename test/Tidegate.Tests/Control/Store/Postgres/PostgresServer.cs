using Tidegate.Testing;

namespace Tidegate.Tests.Control.Store.Postgres;

/// <summary>One for all tests of a class.</summary>
public sealed class PostgresServer : IDisposable
{
    public const string Missing = "PostgreSQL is not installed: apt-get install postgresql.";

    public PostgresCluster? Cluster { get; } = PostgresCluster.Programs() is { } programs ? new PostgresCluster(programs) : null;

    public void Dispose() => Cluster?.Dispose();
}
