using DuckDB.NET.Data;
using Microsoft.AspNetCore.Http;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary>Kept exchanges as a file: CSV while they are found, page by page, or Parquet once they are. One at a time.</summary>
internal sealed class ExchangeExport(StoreReader reader)
{
    /// <summary>The most that one file has.</summary>
    public const int MaxExchanges = 100_000;

    private const int PageSize = 5_000;

    private static readonly string[] CsvColumns =
    [
        "time", "exchange", "direction", "api", "endpoint", "consumer", "tenant", "environment", "client", "method", "scheme", "host", "port", "path", "query", "status", "outcome", "reason", "code", "cache", "attempts",
        "cost", "cost_currency", "cost_unknown", "destination", "region", "credential", "request_bytes", "response_bytes", "queue_ms", "policies_ms", "connect_ms", "first_byte_ms", "total_ms", "trace_id",
    ];

    private readonly SemaphoreSlim _one = new(1);

    public async Task AnswerAsync(HttpContext context, ExchangeSearch search, ExportFormat format)
    {
        if (!await _one.WaitAsync(TimeSpan.Zero))
        {
            await AdminReply.ProblemAsync(context, 503, "export_busy", "Another export is being made. Try again when it is done.");
            return;
        }

        try
        {
            await (format == ExportFormat.Csv ? WriteCsvAsync(context, search) : WriteParquetAsync(context, search));
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task WriteCsvAsync(HttpContext context, ExchangeSearch search)
    {
        var text = new CsvText();
        foreach (var column in CsvColumns)
        {
            text.Add(column);
        }

        text.EndLine();
        context.Response.ContentType = ExportFormats.CsvType;
        context.Response.Headers.ContentDisposition = "attachment; filename=\"exchanges.csv\"";
        await foreach (var page in PagesAsync(search, context.RequestAborted))
        {
            foreach (var record in page)
            {
                Write(text, record);
            }

            await context.Response.Body.WriteAsync(text.Take(), context.RequestAborted);
        }
    }

    private async Task WriteParquetAsync(HttpContext context, ExchangeSearch search)
    {
        var folder = Directory.CreateTempSubdirectory("tidegate-export-");
        try
        {
            var path = Path.Combine(folder.FullName, "exchanges.parquet");
            var own = folder.FullName.Replace("'", "''", StringComparison.Ordinal);
            using (var engine = new DuckDBConnection("DataSource=:memory:"))
            {
                await engine.OpenAsync(context.RequestAborted);
                await RunAsync(engine, $"SET threads = 1; SET memory_limit = '256MB'; SET temp_directory = '{own}'; SET autoinstall_known_extensions = false; SET autoload_known_extensions = false; SET allowed_directories = ['{own}/']; SET enable_external_access = false; SET lock_configuration = true; CREATE TABLE exchanges ({ExchangeTable.Columns})");
                await foreach (var page in PagesAsync(search, context.RequestAborted))
                {
                    using var appender = engine.CreateAppender("exchanges");
                    foreach (var record in page)
                    {
                        var row = SegmentRow.Begin(appender);
                        ExchangeTable.Add(row, in record);
                        row.End();
                    }
                }

                await RunAsync(engine, $"COPY exchanges TO '{path.Replace("'", "''", StringComparison.Ordinal)}' (FORMAT parquet, COMPRESSION zstd)");
            }

            context.Response.ContentType = ExportFormats.ParquetType;
            context.Response.Headers.ContentDisposition = "attachment; filename=\"exchanges.parquet\"";
            context.Response.ContentLength = new FileInfo(path).Length;
            await context.Response.SendFileAsync(path, context.RequestAborted);
        }
        finally
        {
            folder.Delete(recursive: true);
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
