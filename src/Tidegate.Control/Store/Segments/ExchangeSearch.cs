using System.Data.Common;
using System.Globalization;
using System.Text;
using DuckDB.NET.Data;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Segments;

/// <summary>Which exchanges are looked for. What is null does not matter.</summary>
internal sealed record ExchangeSearch
{
    /// <summary>The most that one answer has.</summary>
    public const int MaxLimit = 1_000;

    /// <summary>Started at or after.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>Started before or at.</summary>
    public required DateTimeOffset To { get; init; }

    public int Limit { get; init; } = 100;

    /// <summary>Behind this one, newest first: the last of the page before.</summary>
    public (DateTimeOffset Started, ulong Id)? After { get; init; }

    public ulong? Id { get; init; }

    public string? Direction { get; init; }

    public string? Api { get; init; }

    public string? Endpoint { get; init; }

    public string? Method { get; init; }

    public string? Outcome { get; init; }

    public string? Code { get; init; }

    public string? Consumer { get; init; }

    public string? Tenant { get; init; }

    /// <summary>Only these tenants', whatever else is asked; null: everybody's.</summary>
    public IReadOnlyList<string>? Tenants { get; init; }

    public string? Environment { get; init; }

    public string? Destination { get; init; }

    public string? Region { get; init; }

    /// <summary>The name of one of several keys.</summary>
    public string? Credential { get; init; }

    public string? Host { get; init; }

    /// <summary>Part of the path, letter for letter.</summary>
    public string? Path { get; init; }

    /// <summary>Both inclusive: 503 and 503, or 500 and 599.</summary>
    public (int From, int To)? Status { get; init; }

    /// <summary>Took at least so long.</summary>
    public TimeSpan? AtLeast { get; init; }

    /// <summary>Whether a record that is in memory is one of them, its time, number and place aside.</summary>
    public bool Fits(ExchangeRecord record) =>
        (Direction is null || ExchangeWords.Of(record.Direction) == Direction)
        && (Api is null || record.Api == Api)
        && (Endpoint is null || record.Endpoint == Endpoint)
        && (Method is null || record.Method == Method)
        && (Outcome is null || ExchangeWords.Of(record.Outcome) == Outcome)
        && (Code is null || record.Code == Code)
        && (Consumer is null || record.Consumer.Name == Consumer)
        && (Tenant is null || record.Consumer.Tenant == Tenant)
        && Admin.AdminScope.Has(Tenants, record.Consumer.Tenant)
        && (Environment is null || record.Consumer.Environment == Environment)
        && (Destination is null || record.Destination == Destination)
        && (Region is null || record.Region == Region)
        && (Credential is null || record.Credential == Credential)
        && (Host is null || record.Host == Host)
        && (Path is null || record.Path.Contains(Path, StringComparison.Ordinal))
        && (Status is not { } status || (record.Status >= status.From && record.Status <= status.To))
        && (AtLeast is not { } least || record.Total >= least);

    /// <summary>As a condition of SQL, whose values are the command's parameters.</summary>
    public string Condition(DbCommand command)
    {
        var sql = new StringBuilder("started >= ").Append(Parameter(command, From.UtcDateTime)).Append(" AND started <= ").Append(Parameter(command, To.UtcDateTime));
        void Is(string column, object? value)
        {
            if (value is not null)
            {
                sql.Append(CultureInfo.InvariantCulture, $" AND {column} = {Parameter(command, value)}");
            }
        }

        Is("id", Id is { } id ? IdOf(command, id) : null);
        Is("direction", Direction);
        Is("api", Api);
        Is("endpoint", Endpoint);
        Is("method", Method);
        Is("outcome", Outcome);
        Is("code", Code);
        Is("consumer", Consumer);
        Is("tenant", Tenant);
        Is("environment", Environment);
        Is("destination", Destination);
        Is("region", Region);
        Is("credential", Credential);
        Is("host", Host);
        if (Tenants is not null)
        {
            // Without any it is false: nothing is shown.
            sql.Append(" AND (false").Append(string.Concat(Tenants.Select(tenant => $" OR tenant = {Parameter(command, tenant)}"))).Append(')');
        }

        if (Path is { Length: > 0 })
        {
            sql.Append(CultureInfo.InvariantCulture, $" AND contains(path, {Parameter(command, Path)})");
        }

        if (Status is { } status)
        {
            sql.Append(CultureInfo.InvariantCulture, $" AND status BETWEEN {Parameter(command, status.From)} AND {Parameter(command, status.To)}");
        }

        if (AtLeast is { } atLeast)
        {
            sql.Append(CultureInfo.InvariantCulture, $" AND total_us >= {Parameter(command, atLeast.Ticks / TimeSpan.TicksPerMicrosecond)}");
        }

        if (After is { } after)
        {
            var started = Parameter(command, after.Started.UtcDateTime);
            sql.Append(CultureInfo.InvariantCulture, $" AND (started < {started} OR (started = {started} AND id < {Parameter(command, IdOf(command, after.Id))}))");
        }

        return sql.ToString();
    }

    // PostgreSQL knows no number without a sign.
    private static object IdOf(DbCommand command, ulong id) => command is DuckDBCommand ? id : ExchangeTable.Signed(id);

    private static string Parameter(DbCommand command, object value)
    {
        // By position.
        var parameter = command.CreateParameter();
        parameter.Value = value;
        command.Parameters.Add(parameter);
        return string.Create(CultureInfo.InvariantCulture, $"${command.Parameters.Count}");
    }
}
