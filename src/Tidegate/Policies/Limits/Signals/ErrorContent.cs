using System.Buffers;
using System.Text.Json;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>
/// What only the content of an error says: which of several meanings its status has, and Google's <c>RetryInfo</c>. The beginning is read, at most
/// <see cref="MaxBytes"/>, and the client gets it unchanged.
/// </summary>
internal static class ErrorContent
{
    /// <summary>Errors that are longer say what they are in their first lines.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>Reads the beginning of an answer's content and puts a body in its place that begins with it.</summary>
    public static async ValueTask<ReadOnlyMemory<byte>> PeekAsync(Exchange exchange)
    {
        // Of compressed content nothing could be read. Events have no end to wait for.
        var body = exchange.ResponseBody;
        if (body.IsEmpty || !ReadableContent.IsJson(exchange.ResponseHeaders))
        {
            return default;
        }

        var buffer = ArrayPool<byte>.Shared.Rent(MaxBytes);
        var length = 0;
        MessageBodyException? broken = null;
        var isComplete = false;
        try
        {
            while (length < MaxBytes && !isComplete)
            {
                var read = await body.ReadAsync(buffer.AsMemory(length, MaxBytes - length), exchange.Aborted);
                isComplete = read == 0;
                length += read;
            }
        }
        catch (MessageBodyException brokenBody)
        {
            // The client gets what came, and then the same break.
            broken = brokenBody;
        }
        catch (OperationCanceledException) when (exchange.Aborted.IsCancellationRequested)
        {
            // Nobody is left to read it; the relay finds the same.
        }

        var prefix = buffer.AsSpan(0, length).ToArray();
        ArrayPool<byte>.Shared.Return(buffer);
        exchange.ResponseBody = new BegunBody(prefix, body, isComplete, broken);
        return prefix;
    }

    /// <summary>Looks in JSON content for the codes of a provider's error classes, and for a retry delay.</summary>
    public static void Read(ReadOnlySpan<byte> content, int status, HeaderList fields, SignalDialect dialect, ref ProviderReading reading)
    {
        if (content.IsEmpty)
        {
            return;
        }

        try
        {
            var json = new Utf8JsonReader(content, isFinalBlock: false, default);
            var best = int.MaxValue;
            while (json.Read())
            {
                if (json.TokenType != JsonTokenType.PropertyName)
                {
                    continue;
                }

                var isDelay = json.ValueTextEquals("retryDelay"u8);
                var isCode = IsCodeName(json.ValueSpan);
                if (!(isDelay || isCode) || !json.Read() || json.TokenType is not (JsonTokenType.String or JsonTokenType.Number))
                {
                    continue;
                }

                if (isDelay)
                {
                    ReadDelay(json.ValueSpan, ref reading);
                    continue;
                }

                for (var i = 0; i < dialect.Errors.Length && i < best; i++)
                {
                    if (dialect.Errors[i] is { Code: { } code } error && json.ValueSpan.SequenceEqual(code) && error.Fits(status, fields))
                    {
                        best = i;
                        reading.Kind = error.Kind;
                    }
                }
            }
        }
        catch (JsonException)
        {
            // Not what it says it is; its status and fields have been read.
            reading.Ignored++;
        }
    }

    private static void ReadDelay(ReadOnlySpan<byte> value, ref ProviderReading reading)
    {
        if (!SignalTime.TryRead(value, ResetForm.Seconds, default, out var ticks, out var isCapped))
        {
            reading.Ignored++;
            return;
        }

        reading.Ignored += isCapped ? 1 : 0;
        reading.RetryAfter = TimeSpan.FromTicks(Math.Max(reading.RetryAfter.Ticks, ticks));
        reading.HasRetryAfter = true;
    }

    private static bool IsCodeName(ReadOnlySpan<byte> name) =>
        name.EndsWith("code"u8) || name.EndsWith("Code"u8) || name.EndsWith("type"u8) || name.EndsWith("reason"u8) || name.SequenceEqual("status"u8) || name.SequenceEqual("error"u8);

}
