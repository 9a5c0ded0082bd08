using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.WebUtilities;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>
/// Writes the replies that the gateway makes itself: RFC 9457 problems with a stable code and the exchange's id. Refusals are what an attacker
/// causes by the million, so a reply is put together from bytes, in the exchange's own memory.
/// </summary>
internal sealed class GatewayResponder(TimeProvider time)
{
    /// <summary>Writes the exchange's rejection or failure as a complete response. The response has not started.</summary>
    public ValueTask WriteProblemAsync(Exchange exchange)
    {
        var (code, status, detail) = exchange.Rejection is { } rejection
            ? (rejection.Code, rejection.Status, rejection.Detail)
            : (exchange.Failure!.Code, exchange.Failure.Status, exchange.Failure.Detail);
        exchange.ResponseStatus = status;
        if (exchange.Rejection?.ClosesConnection == true || exchange.Failure?.Source == FailureSource.Client)
        {
            exchange.Client.CloseAfterReply();
        }

        var buffer = ArrayPool<byte>.Shared.Rent(ProblemBody.MaxBytes(code, detail));
        var body = buffer.AsSpan(0, ProblemBody.Write(buffer, code, status, ReasonPhrases.GetReasonPhrase(status), detail, exchange.Id));
        SetFields(exchange, code);
        var client = exchange.Client;
        client.Start(status, exchange.ResponseHeaders, body.Length);
        if (exchange.Method != "HEAD")
        {
            WriteBody(client, body);
            exchange.ResponseBodyBytes = body.Length;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return client.CompleteAsync(null, exchange.Aborted);
    }

    private static void WriteBody(ClientResponseWriter client, ReadOnlySpan<byte> body)
    {
        while (!body.IsEmpty)
        {
            var memory = client.GetMemory(body.Length).Span;
            var count = Math.Min(memory.Length, body.Length);
            body[..count].CopyTo(memory);
            client.Advance(count);
            body = body[count..];
        }
    }

    /// <summary>In place of whatever an upstream's answer had left there before it broke.</summary>
    private void SetFields(Exchange exchange, string code)
    {
        var fields = exchange.ResponseHeaders;
        fields.Clear();
        Span<byte> text = stackalloc byte[32];

        // Cannot fail: an IMF-fixdate has 29 bytes, an id 16 and a whole number at most 20.
        time.GetUtcNow().TryFormat(text, out var length, "R", CultureInfo.InvariantCulture);
        fields.Add(KnownHeader.Date, text[..length]);
        fields.Add(KnownHeader.ContentType, "application/problem+json"u8);

        // A refusal may be over in a second: nobody may keep it.
        fields.Add(KnownHeader.CacheControl, "no-store"u8);
        exchange.Id.TryFormat(text, out length, "x16", CultureInfo.InvariantCulture);
        fields.Add("Tidegate-Exchange"u8, text[..length]);
        if (exchange.Cache != CacheResult.None && !exchange.IsCacheObserved)
        {
            AddCacheStatus(exchange, code);
        }

        AlternativeService.Apply(exchange, fields);
        if (exchange.Rejection is not { } rejection)
        {
            return;
        }

        if (rejection.RetryAfter is { } wait)
        {
            ((long)Math.Ceiling(wait.TotalSeconds)).TryFormat(text, out length, provider: CultureInfo.InvariantCulture);
            fields.Add(KnownHeader.RetryAfter, text[..length]);
        }

        if (rejection.Challenge is { } challenge)
        {
            fields.Add(rejection.Status == 407 ? KnownHeader.ProxyAuthenticate : KnownHeader.WwwAuthenticate, challenge);
        }

        if (rejection.Allow is { } allow)
        {
            fields.Add("Allow", allow);
        }
    }

    /// <summary>RFC 9211: a cache was asked, and this is what came of it.</summary>
    private static void AddCacheStatus(Exchange exchange, string code)
    {
        Span<byte> value = stackalloc byte[128];
        if (System.Text.Unicode.Utf8.TryWrite(value, $"tidegate; fwd={exchange.Cache.ForwardWord()}; detail={code}", out var length))
        {
            exchange.ResponseHeaders.Add("Cache-Status"u8, value[..length]);
        }
    }
}
