using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Tidegate.Control.Live;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/series</c> and <c>/api/v1/exchanges/search</c>: what the store knows.</summary>
/// <param name="reader">Null where nothing is kept.</param>
/// <param name="recent">Looked at first for one exchange: what ended a moment ago is there.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Told what people are not.</param>
internal sealed class PastExchanges(StoreReader? reader, ExchangeExport? export, RecentExchanges recent, TimeProvider time, Action<string> log)
{
    public const string SeriesPath = "/api/v1/series";
    public const string SearchPath = "/api/v1/exchanges/search";

    private const string CompareParameter = "compare";
    private const int DefaultExport = 10_000;

    private static readonly (string Name, double Share)[] Quantiles = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

    private async Task<ExchangeRecord?> FindAsync(ulong id, AdminCaller caller, CancellationToken cancellationToken)
    {
        if (recent.Find(record => record.Id == id && AdminScope.Has(caller.Tenants, record.Consumer.Tenant), 1) is [var found])
        {
            return found;
        }

        return reader is not null && await reader.FindAsync(new ExchangeSearch { From = DateTimeOffset.UnixEpoch, To = time.GetUtcNow().AddHours(1), Id = id, Tenants = caller.Tenants, Limit = 1 }, cancellationToken) is [var old] ? old : null;
    }

    /// <summary>Answers with one exchange, or why there is none.</summary>
    public async Task OneAsync(HttpContext context, ulong id, Action<Utf8JsonWriter, ExchangeRecord> write)
    {
        try
        {
            if (await FindAsync(id, AdminScope.Of(context), context.RequestAborted) is { } found)
            {
                await AdminReply.JsonAsync(context, 200, json => write(json, found));
                return;
            }
        }
        catch (StoreClosedException closed)
        {
            await ClosedAsync(context, closed);
            return;
        }
        catch (Exception unsearchable) when (IsUnsearchable(unsearchable, context))
        {
            await UnsearchableAsync(context, unsearchable);
            return;
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            await TooSlowAsync(context);
            return;
        }

        await AdminReply.ProblemAsync(context, 404, "exchange_not_kept", $"Exchange {ExchangeId.Format(id)} is not kept any more. The access log has all of them.");
    }

    public async Task SeriesAsync(HttpContext context)
    {
        if (reader is null)
        {
            await NotKeptAsync(context);
            return;
        }

        var unknown = ExportFormats.Read(context.Request, hasParquet: false, out var format);
        var unreadable = ParseSeries(context.Request.Query, out var query);
        query = query with { Tenants = AdminScope.Of(context).Tenants };
        var incomparable = format == ExportFormat.Csv && context.Request.Query.ContainsKey(CompareParameter) ? "a table as CSV has nothing to compare with: leave 'compare' out, or ask for json" : null;
        if ((unknown ?? unreadable ?? incomparable) is { } problem)
        {
            await AdminReply.ProblemAsync(context, 400, "parameter_invalid", problem + ".");
            return;
        }

        try
        {
            var result = await reader.SeriesAsync(query, context.RequestAborted);
            if (format == ExportFormat.Csv)
            {
                await AdminReply.BytesAsync(context, 200, ExportFormats.CsvType, SeriesTable.Write(query, result));
                return;
            }

            // Every group that there was: a small one of now may have been a large one.
            var previous = context.Request.Query.ContainsKey(CompareParameter) && query.Before(time.GetUtcNow()) is { } before
                ? await reader.SeriesAsync(before with { Top = SeriesQuery.MaxGroups }, context.RequestAborted)
                : null;
            await AdminReply.JsonAsync(context, 200, json => Write(json, query, result, previous));
        }
        catch (TooWideException tooWide)
        {
            await AdminReply.ProblemAsync(context, 400, "query_too_wide", tooWide.Message);
        }
        catch (StoreClosedException closed)
        {
            await ClosedAsync(context, closed);
        }
        catch (DbException broken)
        {
            log($"The sums of the exchange store cannot be read: {broken.Message}");
            await AdminReply.ProblemAsync(context, 503, "store_unreadable", "The sums of the exchange store cannot be read now. The log says why. Try again in a moment.");
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            await TooSlowAsync(context);
        }
    }

    public async Task SearchAsync(HttpContext context)
    {
        if (reader is null)
        {
            await NotKeptAsync(context);
            return;
        }

        var unknown = ExportFormats.Read(context.Request, hasParquet: true, out var format);
        var unreadable = ParseSearch(context.Request.Query, format != ExportFormat.Json, out var search);
        search = search with { Tenants = AdminScope.Of(context).Tenants };
        if ((unknown ?? unreadable) is { } problem)
        {
            await AdminReply.ProblemAsync(context, 400, "parameter_invalid", problem + ".");
            return;
        }

        try
        {
            if (format != ExportFormat.Json)
            {
                await export!.AnswerAsync(context, search, format);
                return;
            }

            var found = await reader.FindAsync(search, context.RequestAborted);
            await AdminReply.JsonAsync(context, 200, json =>
            {
                json.WriteStartObject();
                json.WriteStartArray("exchanges");
                foreach (var record in found)
                {
                    ExchangeJson.Write(json, record);
                }

                json.WriteEndArray();
                if (found.Count == search.Limit)
                {
                    json.WriteString("after", Cursor(found[^1]));
                }

                json.WriteEndObject();
            });
        }
        catch (StoreClosedException closed) when (!context.Response.HasStarted)
        {
            await ClosedAsync(context, closed);
        }
        catch (Exception unsearchable) when (IsUnsearchable(unsearchable, context))
        {
            await UnsearchableAsync(context, unsearchable);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted)
        {
            await TooSlowAsync(context);
        }
    }

    /// <summary>What leads to the page behind a record.</summary>
    internal static string Cursor(in ExchangeRecord record) => string.Create(CultureInfo.InvariantCulture, $"{record.Started.UtcTicks:x}-{record.Id:x16}");

    private static Task NotKeptAsync(HttpContext context) => AdminReply.ProblemAsync(context, 404, "store_off", "Nothing is kept: recording.store.path is off.");

    private static Task ClosedAsync(HttpContext context, StoreClosedException closed) => AdminReply.ProblemAsync(context, 503, "store_closed", closed.For(AdminScope.Of(context).SeesAll));

    private static bool IsUnsearchable(Exception trouble, HttpContext context) => (trouble is SegmentTroubleException or DbException) && !context.Response.HasStarted;

    private Task UnsearchableAsync(HttpContext context, Exception trouble)
    {
        log($"A search of the exchange store failed: {trouble.Message}");
        return AdminReply.ProblemAsync(context, 503, "store_unreadable", "The exchange store cannot be searched now. The log says why. Shorten the time or filter by an API, and try again.");
    }

    private static Task TooSlowAsync(HttpContext context) => AdminReply.ProblemAsync(context, 503, "query_too_slow", "The query took longer than 20 s and was ended. Shorten the time or filter by an API.");

    private string? ParseSeries(IQueryCollection parameters, out SeriesQuery query)
    {
        query = new SeriesQuery { From = default, To = default, Step = default };
        if (ReadTime(parameters, out var from, out var to) is { } untimely)
        {
            return untimely;
        }

        query = query with { From = from, To = to, Step = SeriesQuery.StepFor(from, to, time.GetUtcNow()) };
        foreach (var (name, values) in parameters)
        {
            switch (name)
            {
                case "from" or "to" or "last" or ExportFormats.Parameter:
                    break;
                case CompareParameter when values.ToString() == "previous":
                    break;
                case CompareParameter:
                    return "'compare' must be previous";
                case "step" when Configuration.ScalarParser.TryDuration(values.ToString(), out var step):
                    query = query with { Step = step };
                    break;
                case "step":
                    return "'step' must be a duration such as 5m";
                case "top" when int.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var top):
                    query = query with { Top = top };
                    break;
                case "top":
                    return $"'top' must be a whole number from 1 to {SeriesQuery.MaxGroups}";
                case "group_by":
                    query = query with { GroupBy = [.. values.SelectMany(value => value!.Split(',')).Where(value => value.Length > 0).Distinct()] };
                    break;
                default:
                    query = query with { Filters = [.. query.Filters, .. values.Select(value => (name, value!))] };
                    break;
            }
        }

        return query.Problem(time.GetUtcNow())
            ?? (parameters.ContainsKey(CompareParameter) && query.Before(time.GetUtcNow()) is null ? "there is no time before 'from' that 'compare' could be with: choose a later one" : null);
    }

    private string? ParseSearch(IQueryCollection parameters, bool isExport, out ExchangeSearch search)
    {
        search = new ExchangeSearch { From = default, To = default };
        if (ReadTime(parameters, out var from, out var to) is { } untimely)
        {
            return untimely;
        }

        search = search with { From = from, To = to, Limit = isExport ? DefaultExport : search.Limit };
        foreach (var (name, values) in parameters)
        {
            if (values is not [{ } value])
            {
                return $"'{OneLine(name)}' is given more than once; give it once";
            }

            if (value.Contains('\0', StringComparison.Ordinal))
            {
                return $"'{OneLine(name)}' has a character that no exchange has";
            }

            if (name == ExportFormats.Parameter)
            {
                continue;
            }

            if (isExport && name == "limit")
            {
                if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) || limit is < 1 or > ExchangeExport.MaxExchanges)
                {
                    return $"'limit' of a file must be a whole number from 1 to {ExchangeExport.MaxExchanges}";
                }

                search = search with { Limit = limit };
                continue;
            }

            var (next, problem) = Set(search, name, value);
            if (problem is not null)
            {
                return problem;
            }

            search = next;
        }

        return null;
    }

    /// <summary>Takes one parameter of a search; what is wrong with it, or null.</summary>
    internal static (ExchangeSearch Search, string? Problem) Set(ExchangeSearch search, string name, string value) => name switch
    {
        "from" or "to" or "last" => (search, null),
        "direction" => (search with { Direction = value }, null),
        "api" => (search with { Api = value }, null),
        "endpoint" => (search with { Endpoint = value }, null),
        "method" => (search with { Method = value }, null),
        "outcome" when ExchangeWords.TryOutcome(value, out _) => (search with { Outcome = value }, null),
        "outcome" => (search, "'outcome' must be forwarded, served_from_cache, served_from_fallback, rejected or failed"),
        "code" => (search with { Code = value }, null),
        "consumer" => (search with { Consumer = value }, null),
        "tenant" => (search with { Tenant = value }, null),
        "environment" => (search with { Environment = value }, null),
        "destination" => (search with { Destination = value }, null),
        "region" => (search with { Region = value }, null),
        "credential" => (search with { Credential = value }, null),
        "host" => (search with { Host = value }, null),
        "path" => (search with { Path = value }, null),
        "status" when value is [>= '1' and <= '9', 'x', 'x'] => (search with { Status = ((value[0] - '0') * 100, ((value[0] - '0') * 100) + 99) }, null),
        "status" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var status) && status <= 999 => (search with { Status = (status, status) }, null),
        "status" => (search, "'status' must be a status such as 503, a class such as 5xx, or 0 for exchanges whose client got no answer"),
        "min_ms" when double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds is >= 0 and < 1e9 => (search with { AtLeast = TimeSpan.FromMilliseconds(milliseconds) }, null),
        "min_ms" => (search, "'min_ms' must be a number of milliseconds"),
        "limit" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= ExchangeSearch.MaxLimit => (search with { Limit = limit }, null),
        "limit" => (search, $"'limit' must be a whole number from 1 to {ExchangeSearch.MaxLimit}"),
        "after" when TryCursor(value, out var after) => (search with { After = after }, null),
        "after" => (search, "'after' must be what the page before gave as after"),
        _ => (search, $"'{OneLine(name)}' is no parameter; known are from, to, last, direction, api, endpoint, method, outcome, code, consumer, tenant, environment, destination, region, credential, host, path, status, min_ms, limit and after"),
    };

    private static bool TryCursor(string text, out (DateTimeOffset Started, ulong Id) after)
    {
        after = default;
        var parts = text.Split('-');
        if (parts.Length != 2
            || !long.TryParse(parts[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var ticks) || ticks < 0 || ticks > DateTimeOffset.MaxValue.UtcTicks
            || !ulong.TryParse(parts[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id))
        {
            return false;
        }

        after = (new DateTimeOffset(ticks, TimeSpan.Zero), id);
        return true;
    }

    /// <summary>From and to as RFC 3339 times, or the last so long; without either the last hour.</summary>
    private string? ReadTime(IQueryCollection parameters, out DateTimeOffset from, out DateTimeOffset to)
    {
        to = time.GetUtcNow();
        from = to.AddHours(-1);
        if (parameters.TryGetValue("last", out var last))
        {
            if (!Configuration.ScalarParser.TryDuration(last.ToString(), out var span) || span <= TimeSpan.Zero || span > TimeSpan.FromDays(366))
            {
                return "'last' must be a duration up to 366d, such as 24h";
            }

            from = to - span;
        }

        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        if (parameters.TryGetValue("from", out var begin) && !DateTimeOffset.TryParse(begin, CultureInfo.InvariantCulture, Utc, out from))
        {
            return "'from' must be a time such as 2026-11-26T10:00:00Z";
        }

        if (parameters.TryGetValue("to", out var end) && !DateTimeOffset.TryParse(end, CultureInfo.InvariantCulture, Utc, out to))
        {
            return "'to' must be a time such as 2026-11-26T10:00:00Z";
        }

        return from < to ? null : "from must be before to";
    }

    private static string OneLine(string name) => string.Concat(name.Take(40).Select(character => char.IsControl(character) ? ' ' : character));

    private static void Write(Utf8JsonWriter json, SeriesQuery query, SeriesResult result, SeriesResult? previous)
    {
        var before = previous?.Groups.ToDictionary(group => SeriesGroup.TextOf(group.Key), group => group.Total);
        json.WriteStartObject();
        json.WriteString("from", query.From);
        json.WriteString("to", query.To);
        json.WriteNumber("step_seconds", query.Step.TotalSeconds);
        json.WriteStartObject("total");
        WritePoint(json, result.Total);
        json.WriteEndObject();
        if (previous is not null)
        {
            json.WriteStartObject("previous");
            WritePoint(json, previous.Total);
            json.WriteEndObject();
        }

        json.WriteStartArray("groups");
        foreach (var group in result.Groups)
        {
            json.WriteStartObject();
            for (var i = 0; i < query.GroupBy.Count; i++)
            {
                json.WriteString(query.GroupBy[i], group.Key[i]);
            }

            json.WriteStartObject("total");
            WritePoint(json, group.Total);
            json.WriteEndObject();
            if (before is not null)
            {
                json.WriteStartObject("previous");
                WritePoint(json, before.GetValueOrDefault(SeriesGroup.TextOf(group.Key)) ?? new SeriesPoint(query.From));
                json.WriteEndObject();
            }

            json.WriteStartArray("points");
            foreach (var point in group.Points)
            {
                json.WriteStartObject();
                json.WriteString("time", point.Begin);
                WritePoint(json, point);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("omitted_groups", result.OmittedGroups);
        if (result.OmittedGroups > 0)
        {
            json.WriteStartObject("others");
            WritePoint(json, result.Others);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WritePoint(Utf8JsonWriter json, SeriesPoint point)
    {
        var cell = point.Cell;
        json.WriteNumber("exchanges", cell.Count);
        json.WriteNumber("errors", point.Errors);
        json.WriteNumber("client_failures", point.ClientFailures);
        json.WriteNumber("rejected", point.Rejected);
        json.WriteNumber("client_errors", point.ClientErrors);
        json.WriteNumber("cache_hits", point.CacheHits);
        json.WriteNumber("cache_lookups", point.CacheLookups);
        json.WriteNumber("attempts", cell.Attempts);
        json.WriteNumber("retries", cell.Retries);
        json.WriteNumber("request_bytes", cell.RequestBytes);
        json.WriteNumber("response_bytes", cell.ResponseBytes);
        json.WriteNumber("clients", cell.Clients.Estimate());
        CostDocument.Write(json, cell.Costs);
        if (cell.Count == 0)
        {
            return;
        }

        json.WriteStartObject("mean_ms");
        json.WriteNumber("queue", Mean(cell.QueueTicks, cell.Count));
        json.WriteNumber("policies", Mean(cell.PolicyTicks, cell.Count));
        json.WriteNumber("connect", Mean(cell.ConnectTicks, cell.Count));
        json.WriteNumber("first_byte", Mean(cell.FirstByteTicks, cell.Count));
        json.WriteNumber("total", Mean(cell.TotalTicks, Math.Max(1, cell.Latency.Count)));
        json.WriteEndObject();
        json.WriteStartObject("total_ms");
        foreach (var (name, share) in Quantiles)
        {
            json.WriteNumber(name, Math.Round(cell.Latency.Quantile(share).TotalMilliseconds, 3));
        }

        json.WriteNumber("max", Math.Round(TimeSpan.FromTicks(cell.LongestTicks).TotalMilliseconds, 3));
        json.WriteEndObject();
    }

    private static double Mean(long ticks, long count) => Math.Round((double)ticks / count / TimeSpan.TicksPerMillisecond, 3);
}
