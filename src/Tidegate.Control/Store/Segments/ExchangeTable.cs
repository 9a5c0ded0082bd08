using System.Data.Common;
using System.Globalization;
using System.Net;
using DuckDB.NET.Data;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Segments;

/// <summary>Records as rows, and back. The columns are what other tools see in the Parquet files: words as in the access log, durations in microseconds, times in UTC.</summary>
internal static class ExchangeTable
{
    public const string Columns = """
        started TIMESTAMP, id UBIGINT, direction VARCHAR, api VARCHAR, endpoint VARCHAR, consumer VARCHAR, tenant VARCHAR, environment VARCHAR, client VARCHAR, protocol VARCHAR,
        method VARCHAR, scheme VARCHAR, host VARCHAR, port USMALLINT, path VARCHAR, query VARCHAR, status USMALLINT, outcome VARCHAR, reason VARCHAR, code VARCHAR, detail VARCHAR,
        observed VARCHAR, cache VARCHAR, cache_overridden BOOLEAN, cost_unread UTINYINT, cache_purges INTEGER, attempts INTEGER, retries VARCHAR, destination VARCHAR, region VARCHAR, credential VARCHAR, upstream_protocol VARCHAR, request_bytes BIGINT, response_bytes BIGINT,
        queue_us BIGINT, policies_us BIGINT, connect_us BIGINT, first_byte_us BIGINT, total_us BIGINT, trace_high UBIGINT, trace_low UBIGINT, span UBIGINT, parent_span UBIGINT, trace_flags UTINYINT,
        cost DECIMAL(38, 12), currency VARCHAR, cost_attempts INTEGER, cost_unknown INTEGER, auth VARCHAR, queue_position INTEGER
        """;

    /// <summary>The columns, in this order; a type may have a comma in its brackets.</summary>
    public static readonly IReadOnlyList<(string Name, string Type)> All =
        [.. Columns.Replace(", ", ",", StringComparison.Ordinal).Split([",", "\n"], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Aggregate(new List<string>(), Join).Select(column => (column[..column.IndexOf(' ', StringComparison.Ordinal)], column[(column.IndexOf(' ', StringComparison.Ordinal) + 1)..]))];

    /// <summary>Their names.</summary>
    public static readonly string Names = string.Join(", ", All.Select(column => column.Name));

    private const char Between = '\n';
    private const char Within = '\t';

    /// <summary>Adds a record's values, in the order of <see cref="Columns"/>.</summary>
    public static void Add<TRow>(TRow row, in ExchangeRecord record)
        where TRow : IExchangeRow<TRow>
    {
        row
            .AppendValue(record.Started.UtcDateTime)
            .AppendValue(record.Id)
            .AppendValue(ExchangeWords.Of(record.Direction))
            .AppendValue(record.Api)
            .AppendValue(record.Endpoint)
            .AppendValue(record.Consumer.Name)
            .AppendValue(record.Consumer.Tenant)
            .AppendValue(record.Consumer.Environment)
            .AppendValue(record.ClientAddress.ToString())
            .AppendValue(ExchangeWords.Of(record.ClientProtocol))
            .AppendValue(record.Method)
            .AppendValue(record.Scheme)
            .AppendValue(record.Host)
            .AppendValue((ushort)record.Port)
            .AppendValue(record.Path)
            .AppendValue(record.Query)
            .AppendValue((ushort)record.Status)
            .AppendValue(ExchangeWords.Of(record.Outcome))
            .AppendValue(record.Reason)
            .AppendValue(record.Code)
            .AppendValue(record.Detail)
            .AppendValue(Text(record.Observed))
            .AppendValue(ExchangeWords.Of(record.Cache))
            .AppendValue(record.IsCacheOverridden)
            .AppendValue((byte)record.UnreadCosts)
            .AppendValue(record.CachePurges)
            .AppendValue(record.Attempts)
            .AppendValue(Text(record.Retries))
            .AppendValue(record.Destination)
            .AppendValue(record.Region)
            .AppendValue(record.Credential)
            .AppendValue(ExchangeWords.Of(record.UpstreamProtocol))
            .AppendValue(record.RequestBytes)
            .AppendValue(record.ResponseBytes)
            .AppendValue(Microseconds(record.Queue))
            .AppendValue(Microseconds(record.Policies))
            .AppendValue(Microseconds(record.Connect))
            .AppendValue(Microseconds(record.TimeToFirstByte))
            .AppendValue(Microseconds(record.Total))
            .AppendValue(record.Trace.TraceIdHigh)
            .AppendValue(record.Trace.TraceIdLow)
            .AppendValue(record.Trace.SpanId)
            .AppendValue(record.Trace.ParentSpanId)
            .AppendValue(record.Trace.Flags)
            .AppendValue(record.Cost.Currency.Length == 0 ? (decimal?)null : record.Cost.Amount)
            .AppendValue(record.Cost.Currency)
            .AppendValue(record.Cost.Billed)
            .AppendValue(record.Cost.Unknown)
            .AppendValue(ExchangeWords.Of(record.Auth))
            .AppendValue(record.QueuePosition);
    }

    /// <summary>Numbers without a sign as numbers with one, in the same order.</summary>
    public static long Signed(ulong number) => unchecked((long)(number ^ (1UL << 63)));

    /// <summary>A row of <see cref="Names"/>. What a segment of an earlier version has no column for is as if it were not there.</summary>
    public static ExchangeRecord Read(DbDataReader row) => new()
    {
        Started = new DateTimeOffset(DateTime.SpecifyKind(row.GetDateTime(0), DateTimeKind.Utc)),
        Id = Number(row, 1),
        Direction = Word(row, 2) == "egress" ? Direction.Egress : Direction.Ingress,
        Api = Word(row, 3),
        Endpoint = Word(row, 4),
        Consumer = new Consumer(Word(row, 5), Word(row, 6), Word(row, 7)),
        ClientAddress = IPAddress.TryParse(Word(row, 8), out var address) ? address : IPAddress.None,
        ClientProtocol = Protocol(Word(row, 9)),
        Method = Word(row, 10),
        Scheme = Word(row, 11),
        Host = Word(row, 12),
        Port = Whole(row, 13),
        Path = Word(row, 14),
        Query = row.IsDBNull(15) ? null : row.GetString(15),
        Status = Whole(row, 16),
        Outcome = ExchangeWords.TryOutcome(Word(row, 17), out var outcome) ? outcome : Outcome.Pending,
        Reason = Word(row, 18),
        Code = Word(row, 19),
        Detail = Word(row, 20),
        Observed = ReadObserved(Word(row, 21)),
        Cache = Cache(Word(row, 22)),
        IsCacheOverridden = Value<bool>(row, 23),
        UnreadCosts = (UnreadCosts)Whole(row, 24),
        CachePurges = Whole(row, 25),
        Attempts = Whole(row, 26),
        Retries = ReadRetries(Word(row, 27)),
        Destination = Word(row, 28),
        Region = Word(row, 29),
        Credential = Word(row, 30),
        UpstreamProtocol = Protocol(Word(row, 31)),
        RequestBytes = Value<long>(row, 32),
        ResponseBytes = Value<long>(row, 33),
        Queue = TimeSpan.FromMicroseconds(Value<long>(row, 34)),
        Policies = TimeSpan.FromMicroseconds(Value<long>(row, 35)),
        Connect = TimeSpan.FromMicroseconds(Value<long>(row, 36)),
        TimeToFirstByte = TimeSpan.FromMicroseconds(Value<long>(row, 37)),
        Total = TimeSpan.FromMicroseconds(Value<long>(row, 38)),
        Trace = new TraceContext(Number(row, 39), Number(row, 40), Number(row, 41), Number(row, 42), (byte)Whole(row, 43)),
        Cost = row.IsDBNull(44) ? ExchangeCost.None : new ExchangeCost(row.GetDecimal(44), Word(row, 45), Whole(row, 46), Whole(row, 47)),
        Auth = row.IsDBNull(48) ? AuthFields.None : ExchangeWords.AuthOf(row.GetString(48)),
        QueuePosition = Whole(row, 49),
    };

    private static List<string> Join(List<string> columns, string part)
    {
        if (part.Contains(' ', StringComparison.Ordinal))
        {
            columns.Add(part);
        }
        else
        {
            columns[^1] += "," + part;
        }

        return columns;
    }

    private static string Word(DbDataReader row, int column) => row.IsDBNull(column) ? "" : row.GetString(column);

    private static int Whole(DbDataReader row, int column) => row.IsDBNull(column) ? 0 : Convert.ToInt32(row.GetValue(column), CultureInfo.InvariantCulture);

    private static ulong Number(DbDataReader row, int column) => row.IsDBNull(column) ? 0 : row is DuckDBDataReader ? row.GetFieldValue<ulong>(column) : unchecked((ulong)row.GetInt64(column)) ^ (1UL << 63);

    private static T Value<T>(DbDataReader row, int column)
        where T : struct => row.IsDBNull(column) ? default : row.GetFieldValue<T>(column);

    private static long Microseconds(TimeSpan duration) => Math.Max(0, duration.Ticks) / TimeSpan.TicksPerMicrosecond;

    private static string Text(IReadOnlyList<PolicyDecision> observed) => observed.Count == 0 ? "" : string.Join(Between, observed.Select(decision => decision.Policy + Within + decision.Code));

    private static string Text(IReadOnlyList<RetryNote> retries) => retries.Count == 0 ? "" : string.Join(
        Between, retries.Select(retry => string.Join(Within, retry.Cause, Text(retry.Pause), retry.Stopped, retry.Result, retry.Destination, retry.Region, retry.Credential, Text(retry.Began), Text(retry.Took))));

    private static string Text(TimeSpan duration) => Microseconds(duration).ToString(CultureInfo.InvariantCulture);

    private static IReadOnlyList<PolicyDecision> ReadObserved(string text) => text.Length == 0 ? [] :
        [.. text.Split(Between).Select(line => line.Split(Within)).Where(parts => parts.Length == 2).Select(parts => new PolicyDecision(parts[0], parts[1]))];

    // Rows of earlier versions have no times.
    private static IReadOnlyList<RetryNote> ReadRetries(string text) => text.Length == 0 ? [] :
    [
        .. text.Split(Between).Select(line => line.Split(Within)).Where(parts => parts.Length is 7 or 9)
            .Select(parts => new RetryNote(parts[0], ReadDuration(parts[1]), parts[2]) { Result = parts[3], Destination = parts[4], Region = parts[5], Credential = parts[6], Began = ReadDuration(parts.ElementAtOrDefault(7)), Took = ReadDuration(parts.ElementAtOrDefault(8)) }),
    ];

    private static TimeSpan ReadDuration(string? text) => text is null ? TimeSpan.Zero : TimeSpan.FromMicroseconds(long.Parse(text, CultureInfo.InvariantCulture));

    private static ProtocolVersion Protocol(string word) => Enum.GetValues<ProtocolVersion>().FirstOrDefault(version => ExchangeWords.Of(version) == word);

    private static CacheResult Cache(string word) => Enum.GetValues<CacheResult>().FirstOrDefault(result => ExchangeWords.Of(result) == word);
}
