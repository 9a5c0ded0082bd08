using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Tidegate.Control.Admin;

/// <summary>Writes what the admin listener answers: complete documents with their length.</summary>
internal static class AdminReply
{
    // Read by people and tools, never part of a page (nosniff): an apostrophe may stay one.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true };

    public static Task JsonAsync(HttpContext context, int status, Action<Utf8JsonWriter> write) => JsonAsync(context, status, "application/json", write);

    /// <summary>An error as RFC 9457 has it, in the form of the gateway's own problems.</summary>
    public static Task ProblemAsync(HttpContext context, int status, string code, string detail) => JsonAsync(context, status, "application/problem+json", json =>
    {
        json.WriteStartObject();
        json.WriteString("type", "urn:tidegate:problem:" + code);
        json.WriteString("title", ReasonPhrases.GetReasonPhrase(status));
        json.WriteNumber("status", status);
        json.WriteString("detail", detail);
        json.WriteString("code", code);
        json.WriteEndObject();
    });

    public static async Task BytesAsync(HttpContext context, int status, string type, ReadOnlyMemory<byte> content)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.ContentLength = content.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(content, context.RequestAborted);
        }
    }

    private static Task JsonAsync(HttpContext context, int status, string type, Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Readable))
        {
            write(json);
        }

        buffer.WriteByte((byte)'\n');
        return BytesAsync(context, status, type, buffer.ToArray());
    }
}
