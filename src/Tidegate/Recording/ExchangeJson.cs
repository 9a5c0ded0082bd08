using System.Buffers.Text;
using System.Net;
using System.Text.Json;
using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>
/// One record as a JSON object: a line of the access log and an item of the admin API, in the same words. Written for every exchange,
/// so names are encoded once and values are formatted in place.
/// </summary>
internal static class ExchangeJson
{
    private const int MaxAddressBytes = 64;
    private const int MaxNumberBytes = 32;

    public static void Write(Utf8JsonWriter json, in ExchangeRecord record)
    {
        json.WriteStartObject();
        json.WriteString(Names.Time, record.Started);
        WriteId(json, Names.Exchange, record.Id);
        if (record.Trace.IsValid)
        {
            json.WriteString(Names.TraceId, record.Trace.TraceId);
        }

        if (record.Trace.HasSpan)
        {
            WriteId(json, Names.SpanId, record.Trace.SpanId);
        }

        json.WriteString(Names.Direction, ExchangeWords.Of(record.Direction));
        WriteUnlessEmpty(json, Names.Api, record.Api);
        WriteUnlessEmpty(json, Names.Endpoint, record.Endpoint);
        json.WriteString(Names.Consumer, record.Consumer.Name);
        WriteUnlessEmpty(json, Names.Tenant, record.Consumer.Tenant);
        WriteUnlessEmpty(json, Names.Environment, record.Consumer.Environment);
        WriteAddress(json, Names.Client, record.ClientAddress);
        WriteUnlessEmpty(json, Names.Protocol, ExchangeWords.WithName(record.ClientProtocol));
        json.WriteString(Names.Method, record.Method);
        json.WriteString(Names.Scheme, record.Scheme);
        json.WriteString(Names.Host, record.Host);
        json.WriteNumber(Names.Port, record.Port);
        json.WriteString(Names.Path, record.Path);
        WriteUnlessEmpty(json, Names.Query, record.Query ?? "");
        json.WriteNumber(Names.Status, record.Status);
        json.WriteString(Names.Outcome, ExchangeWords.Of(record.Outcome));
        WriteUnlessEmpty(json, Names.Reason, record.Reason);
        WriteUnlessEmpty(json, Names.Code, record.Code);
        if (record.Observed.Count > 0)
        {
            WriteObserved(json, record.Observed);
        }

        if (record.Cache != CacheResult.None)
        {
            json.WriteString(Names.Cache, ExchangeWords.Of(record.Cache));
        }

        if (record.IsCacheOverridden)
        {
            json.WriteBoolean(Names.CacheOverridden, true);
        }

        if (record.QueuePosition > 0)
        {
            json.WriteNumber(Names.QueuePosition, record.QueuePosition);
        }

        if (record.ProviderSignal != ProviderSignal.None)
        {
            json.WriteString(Names.ProviderRefusal, ExchangeWords.Of(record.ProviderSignal));
        }

        WriteUnlessEmpty(json, Names.CostUnread, record.UnreadCosts switch
        {
            UnreadCosts.None => "",
            UnreadCosts.Request => "request",
            UnreadCosts.Answer => "answer",
            _ => "request, answer",
        });
        if (record.CachePurges > 0)
        {
            json.WriteNumber(Names.CachePurges, record.CachePurges);
        }

        json.WriteNumber(Names.Attempts, record.Attempts);
        if (record.Retries.Count > 0)
        {
            WriteRetries(json, record.Retries);
        }

        if (record.Cost.Currency.Length > 0)
        {
            WriteCost(json, record.Cost);
        }

        WriteUnlessEmpty(json, Names.Destination, record.Destination);
        WriteUnlessEmpty(json, Names.Region, record.Region);
        WriteUnlessEmpty(json, Names.Credential, record.Credential);
        WriteUnlessEmpty(json, Names.Auth, ExchangeWords.Of(record.Auth));
        json.WriteNumber(Names.RequestBytes, record.RequestBytes);
        json.WriteNumber(Names.ResponseBytes, record.ResponseBytes);
        WriteMilliseconds(json, Names.QueueMs, record.Queue);
        WriteMilliseconds(json, Names.PoliciesMs, record.Policies);
        WriteMilliseconds(json, Names.ConnectMs, record.Connect);
        WriteMilliseconds(json, Names.FirstByteMs, record.TimeToFirstByte);
        WriteMilliseconds(json, Names.TotalMs, record.Total);
        json.WriteEndObject();
    }

    private static void WriteUnlessEmpty(Utf8JsonWriter json, JsonEncodedText name, string value)
    {
        if (value.Length > 0)
        {
            json.WriteString(name, value);
        }
    }

    private static void WriteObserved(Utf8JsonWriter json, IReadOnlyList<PolicyDecision> observed)
    {
        json.WriteStartArray(Names.WouldHaveRefused);
        foreach (var decision in observed)
        {
            json.WriteStringValue(decision.Policy + ": " + decision.Code);
        }

        json.WriteEndArray();
    }

    private static void WriteRetries(Utf8JsonWriter json, IReadOnlyList<RetryNote> retries)
    {
        json.WriteStartArray(Names.Retries);
        foreach (var retry in retries)
        {
            json.WriteStartObject();
            json.WriteString(Names.Cause, retry.Cause);
            WriteMilliseconds(json, Names.BeganMs, retry.Began);
            WriteMilliseconds(json, Names.TookMs, retry.Took);
            WriteUnlessEmpty(json, Names.Result, retry.Result);
            WriteUnlessEmpty(json, Names.Destination, retry.Destination);
            WriteUnlessEmpty(json, Names.Region, retry.Region);
            WriteUnlessEmpty(json, Names.Credential, retry.Credential);
            if (retry.Stopped.Length == 0)
            {
                WriteMilliseconds(json, Names.PauseMs, retry.Pause);
            }
            else
            {
                json.WriteString(Names.Stopped, retry.Stopped);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>An amount that is not all stands as such, and one of which nothing is known not at all.</summary>
    private static void WriteCost(Utf8JsonWriter json, in ExchangeCost cost)
    {
        if (cost.Amount != 0 || cost.Unknown == 0)
        {
            json.WriteNumber(Names.Cost, Amounts.Plain(cost.Amount));
        }

        json.WriteString(Names.CostCurrency, cost.Currency);
        json.WriteNumber(Names.CostAttempts, cost.Billed);
        if (cost.Unknown > 0)
        {
            json.WriteNumber(Names.CostUnknown, cost.Unknown);
        }
    }

    private static void WriteId(Utf8JsonWriter json, JsonEncodedText name, ulong id)
    {
        Span<byte> digits = stackalloc byte[ExchangeId.Length];
        ExchangeId.Format(id, digits);
        json.WriteString(name, digits);
    }

    private static void WriteAddress(Utf8JsonWriter json, JsonEncodedText name, IPAddress address)
    {
        Span<byte> text = stackalloc byte[MaxAddressBytes];
        if (!address.TryFormat(text, out var length))
        {
            throw new InvalidOperationException("An address is longer than an IPv6 address with a scope can be.");
        }

        json.WriteString(name, text[..length]);
    }

    /// <summary>To the tenth of a microsecond, without the digits that a binary fraction would invent.</summary>
    private static void WriteMilliseconds(Utf8JsonWriter json, JsonEncodedText name, TimeSpan duration)
    {
        Span<byte> number = stackalloc byte[MaxNumberBytes];
        var (whole, rest) = Math.DivRem(Math.Max(0, duration.Ticks), TimeSpan.TicksPerMillisecond);
        Utf8Formatter.TryFormat(whole, number, out var length);
        if (rest > 0)
        {
            number[length++] = (byte)'.';
            for (var unit = TimeSpan.TicksPerMillisecond / 10; rest > 0; unit /= 10)
            {
                (var digit, rest) = Math.DivRem(rest, unit);
                number[length++] = (byte)('0' + digit);
            }
        }

        json.WritePropertyName(name);
        json.WriteRawValue(number[..length], skipInputValidation: true);
    }

    private static class Names
    {
        public static readonly JsonEncodedText Time = JsonEncodedText.Encode("time");
        public static readonly JsonEncodedText Exchange = JsonEncodedText.Encode("exchange");
        public static readonly JsonEncodedText TraceId = JsonEncodedText.Encode("trace_id");
        public static readonly JsonEncodedText SpanId = JsonEncodedText.Encode("span_id");
        public static readonly JsonEncodedText Direction = JsonEncodedText.Encode("direction");
        public static readonly JsonEncodedText Api = JsonEncodedText.Encode("api");
        public static readonly JsonEncodedText Endpoint = JsonEncodedText.Encode("endpoint");
        public static readonly JsonEncodedText Consumer = JsonEncodedText.Encode("consumer");
        public static readonly JsonEncodedText Tenant = JsonEncodedText.Encode("tenant");
        public static readonly JsonEncodedText Environment = JsonEncodedText.Encode("environment");
        public static readonly JsonEncodedText Client = JsonEncodedText.Encode("client");
        public static readonly JsonEncodedText Protocol = JsonEncodedText.Encode("protocol");
        public static readonly JsonEncodedText Method = JsonEncodedText.Encode("method");
        public static readonly JsonEncodedText Scheme = JsonEncodedText.Encode("scheme");
        public static readonly JsonEncodedText Host = JsonEncodedText.Encode("host");
        public static readonly JsonEncodedText Port = JsonEncodedText.Encode("port");
        public static readonly JsonEncodedText Path = JsonEncodedText.Encode("path");
        public static readonly JsonEncodedText Query = JsonEncodedText.Encode("query");
        public static readonly JsonEncodedText Status = JsonEncodedText.Encode("status");
        public static readonly JsonEncodedText Outcome = JsonEncodedText.Encode("outcome");
        public static readonly JsonEncodedText Reason = JsonEncodedText.Encode("reason");
        public static readonly JsonEncodedText Code = JsonEncodedText.Encode("code");
        public static readonly JsonEncodedText WouldHaveRefused = JsonEncodedText.Encode("would_have_refused");
        public static readonly JsonEncodedText Cache = JsonEncodedText.Encode("cache");
        public static readonly JsonEncodedText CacheOverridden = JsonEncodedText.Encode("cache_overridden");
        public static readonly JsonEncodedText CachePurges = JsonEncodedText.Encode("cache_purges");
        public static readonly JsonEncodedText Attempts = JsonEncodedText.Encode("attempts");
        public static readonly JsonEncodedText CostUnread = JsonEncodedText.Encode("cost_unread");
        public static readonly JsonEncodedText Cost = JsonEncodedText.Encode("cost");
        public static readonly JsonEncodedText CostCurrency = JsonEncodedText.Encode("cost_currency");
        public static readonly JsonEncodedText CostAttempts = JsonEncodedText.Encode("cost_attempts");
        public static readonly JsonEncodedText CostUnknown = JsonEncodedText.Encode("cost_unknown");
        public static readonly JsonEncodedText Retries = JsonEncodedText.Encode("retries");
        public static readonly JsonEncodedText Cause = JsonEncodedText.Encode("cause");
        public static readonly JsonEncodedText Result = JsonEncodedText.Encode("result");
        public static readonly JsonEncodedText BeganMs = JsonEncodedText.Encode("began_ms");
        public static readonly JsonEncodedText TookMs = JsonEncodedText.Encode("took_ms");
        public static readonly JsonEncodedText PauseMs = JsonEncodedText.Encode("pause_ms");
        public static readonly JsonEncodedText Stopped = JsonEncodedText.Encode("stopped");
        public static readonly JsonEncodedText Destination = JsonEncodedText.Encode("destination");
        public static readonly JsonEncodedText Region = JsonEncodedText.Encode("region");
        public static readonly JsonEncodedText Credential = JsonEncodedText.Encode("credential");
        public static readonly JsonEncodedText Auth = JsonEncodedText.Encode("auth");
        public static readonly JsonEncodedText RequestBytes = JsonEncodedText.Encode("request_bytes");
        public static readonly JsonEncodedText ResponseBytes = JsonEncodedText.Encode("response_bytes");
        public static readonly JsonEncodedText ProviderRefusal = JsonEncodedText.Encode("provider_refusal");
        public static readonly JsonEncodedText QueuePosition = JsonEncodedText.Encode("queue_position");
        public static readonly JsonEncodedText QueueMs = JsonEncodedText.Encode("queue_ms");
        public static readonly JsonEncodedText PoliciesMs = JsonEncodedText.Encode("policies_ms");
        public static readonly JsonEncodedText ConnectMs = JsonEncodedText.Encode("connect_ms");
        public static readonly JsonEncodedText FirstByteMs = JsonEncodedText.Encode("first_byte_ms");
        public static readonly JsonEncodedText TotalMs = JsonEncodedText.Encode("total_ms");
    }
}
