using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>Writes the replies that the gateway makes itself: RFC 9457 problems with a stable code and the exchange's id.</summary>
internal sealed class GatewayResponder(TimeProvider time)
{
    // The reply is never part of a page (application/problem+json), so an apostrophe can stay one.
    private static readonly JsonWriterOptions Readable = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the exchange's rejection or failure as a complete response. The response has not started.</summary>
    public async ValueTask WriteProblemAsync(Exchange exchange)
    {
        var (code, status, detail) = exchange.Rejection is { } rejection
            ? (rejection.Code, rejection.Status, rejection.Detail)
            : (exchange.Failure!.Code, exchange.Failure.Status, exchange.Failure.Detail);
        exchange.ResponseStatus = status;
        if (exchange.Rejection?.ClosesConnection == true || exchange.Failure?.Source == FailureSource.Client)
        {
            exchange.Client.CloseAfterReply();
        }

        var body = Body(exchange, code, status, detail);
        var client = exchange.Client;
        client.Start(status, Fields(exchange), body.Length);
        if (exchange.Method != "HEAD")
        {
            body.CopyTo(client.GetMemory(body.Length));
            client.Advance(body.Length);
            exchange.ResponseBodyBytes = body.Length;
        }

        await client.CompleteAsync(null, exchange.Aborted);
    }

    private HeaderList Fields(Exchange exchange)
    {
        var fields = new HeaderList();
        fields.Add(KnownHeader.Date, time.GetUtcNow().ToString("R", CultureInfo.InvariantCulture));
        fields.Add(KnownHeader.ContentType, "application/problem+json");

        // A refusal may be over in a second: nobody may keep it.
        fields.Add(KnownHeader.CacheControl, "no-store");
        fields.Add("Tidegate-Exchange", ExchangeId.Format(exchange.Id));
        AlternativeService.Apply(exchange, fields);
        if (exchange.Rejection is not { } rejection)
        {
            return fields;
        }

        if (rejection.RetryAfter is { } wait)
        {
            fields.Add(KnownHeader.RetryAfter, ((long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture));
        }

        if (rejection.Challenge is { } challenge)
        {
            fields.Add(rejection.Status == 407 ? KnownHeader.ProxyAuthenticate : KnownHeader.WwwAuthenticate, challenge);
        }

        if (rejection.Allow is { } allow)
        {
            fields.Add("Allow", allow);
        }

        return fields;
    }

    private static byte[] Body(Exchange exchange, string code, int status, string detail)
    {
        var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Readable))
        {
            json.WriteStartObject();
            json.WriteString("type", "urn:tidegate:problem:" + code);
            json.WriteString("title", ReasonPhrases.GetReasonPhrase(status));
            json.WriteNumber("status", status);
            json.WriteString("detail", detail);
            json.WriteString("code", code);
            json.WriteString("exchange", ExchangeId.Format(exchange.Id));
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }
}
