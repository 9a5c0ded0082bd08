using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Tidegate.Control.Live;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/exchanges/tail</c>: exchanges as they end, as server-sent events.</summary>
internal sealed class TailDocument(ExchangeTail tail, TimeProvider time)
{
    public const string Path = "/api/v1/exchanges/tail";

    // Proxies close what is silent for half a minute or more.
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);
    private static readonly string[] NotOfATail = ["from", "to", "last", "limit", "after"];

    private static readonly JsonWriterOptions OneLine = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public async Task AnswerAsync(HttpContext context)
    {
        if (Parse(context.Request.Query, out var search) is { } problem)
        {
            await AdminReply.ProblemAsync(context, 400, "parameter_invalid", problem + ".");
            return;
        }

        var caller = AdminScope.Of(context);
        if (tail.TryWatch(search with { Tenants = caller.Tenants }, caller) is not { } viewer)
        {
            await AdminReply.ProblemAsync(context, 503, "too_many_viewers", $"You watch {ExchangeTail.MaxViewersEach} times already, or {ExchangeTail.MaxViewers} watch in all. Close one of them, or ask /api/v1/exchanges.");
            return;
        }

        try
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(": exchanges as they end\n\n", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            if (!HttpMethods.IsHead(context.Request.Method))
            {
                await SendAsync(context, viewer);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Whoever watched has gone.
            return;
        }
        finally
        {
            tail.Leave(viewer);
        }
    }

    private static string? Parse(IQueryCollection parameters, out ExchangeSearch search)
    {
        search = new ExchangeSearch { From = default, To = default };
        foreach (var (name, values) in parameters)
        {
            if (values is not [{ } value])
            {
                return "a parameter is given more than once; give it once";
            }

            if (NotOfATail.Contains(name))
            {
                return $"'{name}' is no parameter of a tail, which shows what ends from now on";
            }

            (search, var problem) = PastExchanges.Set(search, name, value);
            if (problem is not null)
            {
                return problem;
            }
        }

        return null;
    }

    private async Task SendAsync(HttpContext context, TailViewer viewer)
    {
        using var buffer = new MemoryStream();
        while (!viewer.IsClosed)
        {
            var (records, dropped) = await viewer.NextAsync(Heartbeat, time, context.RequestAborted);
            buffer.SetLength(0);
            if (dropped > 0)
            {
                buffer.Write("event: dropped\ndata: {\"dropped\":"u8);
                buffer.Write(System.Text.Encoding.ASCII.GetBytes(dropped.ToString(System.Globalization.CultureInfo.InvariantCulture)));
                buffer.Write("}\n\n"u8);
            }

            foreach (var record in records)
            {
                Write(buffer, record);
            }

            if (buffer.Length == 0)
            {
                buffer.Write(":\n\n"u8);
            }

            await context.Response.Body.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }
    }

    private static void Write(MemoryStream buffer, in ExchangeRecord record)
    {
        buffer.Write("event: exchange\ndata: "u8);
        using (var json = new Utf8JsonWriter(buffer, OneLine))
        {
            ExchangeJson.Write(json, in record);
        }

        buffer.Write("\n\n"u8);
    }
}
