using DuckDB.NET.Data;
using Microsoft.AspNetCore.Http;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary>
/// Kept exchanges as a file: CSV while they are found, page by page, or Parquet once they are. A few at a time, one for each who asks, and none for long: a reader that is too slow must
/// not keep others from theirs.
/// </summary>
/// <param name="reader">Finds exchanges.</param>
/// <param name="folder">For files until they are sent.</param>
/// <param name="memory">What making them may take.</param>
/// <param name="log">Takes one line.</param>
/// <param name="time">The clock.</param>
internal sealed class ExchangeExport(StoreReader reader, ExportFolder folder, EngineMemory memory, Action<string> log, TimeProvider time)
{
    /// <summary>The most that one file has.</summary>
    public const int MaxExchanges = 100_000;

    private const int PageSize = 5_000;

    // A row group is put together in memory.
    private const int RowGroup = 10_240;

    private static readonly string[] CsvColumns =
    [
        "time", "exchange", "direction", "api", "endpoint", "consumer", "tenant", "environment", "client", "method", "scheme", "host", "port", "path", "query", "status", "outcome", "reason", "code", "cache", "attempts",
        "cost", "cost_currency", "cost_unknown", "destination", "region", "credential", "request_bytes", "response_bytes", "queue_ms", "policies_ms", "connect_ms", "first_byte_ms", "total_ms", "trace_id",
    ];

    // Whoever evaluates traffic in files, and a few colleagues.
    private const int MaxExports = 4;

    // 100,000 exchanges are some 30 MB: a line with a megabit a second is through in four minutes.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    // Making a Parquet file takes memory for some seconds, and searches meanwhile.
    private readonly SemaphoreSlim _making = new(1);
    private readonly List<AdminCaller> _callers = [];
    public async Task AnswerAsync(HttpContext context, ExchangeSearch search, ExportFormat format)
    {
        var caller = AdminScope.Of(context);
        if (Enter(caller) is { } busy)
        {
            await AdminReply.ProblemAsync(context, 503, "export_busy", busy);
            return;
        }

        using var limit = new CancellationTokenSource(Longest, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, context.RequestAborted);
        try
        {
            await (format == ExportFormat.Csv ? WriteCsvAsync(context, search, end.Token) : WriteParquetAsync(context, search, end.Token));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && context.Response.HasStarted)
        {
            // It must not look whole.
            context.Abort();
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            await AdminReply.ProblemAsync(context, 503, "export_too_slow", "The file was not made in time. Ask for fewer exchanges.");
        }
        finally
        {
            Leave(caller);
        }
    }

    /// <returns>Why there is no place; null when one was taken.</returns>
    private string? Enter(AdminCaller caller)
    {
        lock (_callers)
        {
            if (caller.IsOnePerson && _callers.Exists(caller.IsSame))
            {
                return "Another export of yours is under way. Try again when it is done.";
            }

            if (_callers.Count >= MaxExports)
            {
                return "Too many exports are under way. Try again when one is done.";
            }

            _callers.Add(caller);
            return null;
        }
    }

    private void Leave(AdminCaller caller)
    {
        lock (_callers)
        {
            _callers.RemoveAt(_callers.FindIndex(caller.IsSame));
        }
    }

    private async Task WriteCsvAsync(HttpContext context, ExchangeSearch search, CancellationToken cancellationToken)
    {
        var text = new CsvText();
        foreach (var column in CsvColumns)
        {
            text.Add(column);
        }

        text.EndLine();
        context.Response.ContentType = ExportFormats.CsvType;
        context.Response.Headers.ContentDisposition = "attachment; filename=\"exchanges.csv\"";
        await foreach (var page in PagesAsync(search, cancellationToken))
        {
            foreach (var record in page)
            {
                Write(text, record);
            }

            await context.Response.Body.WriteAsync(text.Take(), cancellationToken);
        }
    }

    private async Task WriteParquetAsync(HttpContext context, ExchangeSearch search, CancellationToken cancellationToken)
    {
        string? own = null;
        try
        {
            string path;
            try
            {
                own = folder.Begin();
                path = await MakeParquetAsync(own, search, cancellationToken);
            }
            catch (Exception unwritable) when (unwritable is (IOException or UnauthorizedAccessException) and not SegmentTroubleException)
            {
                log($"Exchanges cannot be exported as a file: {unwritable.Message}");
                await AdminReply.ProblemAsync(context, 503, "export_failed", "The file could not be made. The log says why. CSV needs none.");
                return;
            }

            context.Response.ContentType = ExportFormats.ParquetType;
            context.Response.Headers.ContentDisposition = "attachment; filename=\"exchanges.parquet\"";
            context.Response.ContentLength = new FileInfo(path).Length;
            await context.Response.SendFileAsync(path, cancellationToken);
        }
        finally
        {
            if (own is not null)
            {
                folder.End(own);
            }
        }
    }

    /// <exception cref="IOException">The disk is full, for example; also <see cref="UnauthorizedAccessException"/>.</exception>
    private async Task<string> MakeParquetAsync(string own, ExchangeSearch search, CancellationToken cancellationToken)
    {
        await _making.WaitAsync(cancellationToken);
        try
        {
            using var room = await memory.TakeAsync(EngineMemory.Export, Longest, cancellationToken);
            var path = Path.Combine(own, "exchanges.parquet");
            await FillParquetAsync(own, path, search, cancellationToken);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            return path;
        }
        finally
        {
            _making.Release();
        }
    }

    private async Task FillParquetAsync(string own, string path, ExchangeSearch search, CancellationToken cancellationToken)
    {
        var quoted = own.Replace("'", "''", StringComparison.Ordinal);
        using var engine = new DuckDBConnection("DataSource=:memory:");
        await engine.OpenAsync(cancellationToken);
        await RunAsync(engine, $"SET threads = 1; SET memory_limit = '{EngineMemory.Export}MB'; SET temp_directory = '{quoted}'; SET autoinstall_known_extensions = false; SET autoload_known_extensions = false; SET allowed_directories = ['{quoted}/']; SET enable_external_access = false; SET lock_configuration = true; CREATE TABLE exchanges ({ExchangeTable.Columns})");
        await foreach (var page in PagesAsync(search, cancellationToken))
        {
            using var appender = engine.CreateAppender("exchanges");
            foreach (var record in page)
            {
                var row = SegmentRow.Begin(appender);
                ExchangeTable.Add(row, in record);
                row.End();
            }
        }

        try
        {
            await RunAsync(engine, $"COPY exchanges TO '{path.Replace("'", "''", StringComparison.Ordinal)}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {RowGroup})");
        }
        catch (DuckDBException unwritable)
        {
            throw new IOException(unwritable.Message, unwritable);
        }
    }

    private async IAsyncEnumerable<IReadOnlyList<ExchangeRecord>> PagesAsync(ExchangeSearch search, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var left = search.Limit; left > 0;)
        {
            var page = await reader.FindAsync(search with { Limit = Math.Min(left, PageSize) }, cancellationToken);
            yield return page;
            if (page.Count < Math.Min(left, PageSize))
            {
                yield break;
            }

            left -= page.Count;
            search = search with { After = (page[^1].Started, page[^1].Id) };
        }
    }

    private static void Write(CsvText text, in ExchangeRecord record)
    {
        text.Add(record.Started).Add(ExchangeId.Format(record.Id)).Add(ExchangeWords.Of(record.Direction)).Add(record.Api).Add(record.Endpoint)
            .Add(record.Consumer.Name).Add(record.Consumer.Tenant).Add(record.Consumer.Environment).Add(record.ClientAddress.ToString())
            .Add(record.Method).Add(record.Scheme).Add(record.Host).Add(record.Port).Add(record.Path).Add(record.Query ?? "")
            .Add(record.Status).Add(ExchangeWords.Of(record.Outcome)).Add(record.Reason).Add(record.Code).Add(ExchangeWords.Of(record.Cache)).Add(record.Attempts)
            .Add(record.Cost.Currency.Length > 0 ? Amounts.Plain(record.Cost.Amount) : null).Add(record.Cost.Currency).Add(record.Cost.Unknown)
            .Add(record.Destination).Add(record.Region).Add(record.Credential).Add(record.RequestBytes).Add(record.ResponseBytes)
            .Add(record.Queue).Add(record.Policies).Add(record.Connect).Add(record.TimeToFirstByte).Add(record.Total).Add(record.Trace.IsValid ? record.Trace.TraceId : "");
        text.EndLine();
    }

    private static async Task RunAsync(DuckDBConnection engine, string sql)
    {
        using var command = engine.CreateCommand();
#pragma warning disable CA2100 // Names of files of our own and columns; nothing from outside.
        command.CommandText = sql;
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }
}
