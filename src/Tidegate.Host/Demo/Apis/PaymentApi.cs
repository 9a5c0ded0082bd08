using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Tidegate.Host.Demo.Apis;

/// <summary>A payment provider: a key, a rate limit that all callers share, announced in fields, and cards that are declined.</summary>
internal sealed class PaymentApi(TimeProvider time, DemoRandom random) : ISimulatedApi
{
    // Enough for a usual morning; the campaign at half past nine goes over it.
    private const int CallsPerWindow = 40;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private long _windowStarted = time.GetTimestamp();
    private int _calls;
    private int _charges;

    public string Name => "payments";

    public string Host => "api.payments.example";

    public async Task AnswerAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        if (request.Headers.Authorization != $"Bearer {DemoKeys.Provider(Name)}")
        {
            response.StatusCode = StatusCodes.Status401Unauthorized;
            await response.WriteAsJsonAsync(new { error = new { type = "authentication_error", message = "This API key is not valid." } });
            return;
        }

        var (remaining, reset) = Take();
        response.Headers["X-RateLimit-Limit"] = CallsPerWindow.ToString(CultureInfo.InvariantCulture);
        response.Headers["X-RateLimit-Remaining"] = Math.Max(remaining, 0).ToString(CultureInfo.InvariantCulture);
        response.Headers["X-RateLimit-Reset"] = Seconds(reset);
        if (remaining < 0)
        {
            response.StatusCode = StatusCodes.Status429TooManyRequests;
            response.Headers.RetryAfter = Seconds(reset);
            await response.WriteAsJsonAsync(new { error = new { type = "rate_limit_error", message = $"More than {CallsPerWindow} calls in {Window.TotalSeconds} s." } });
            return;
        }

        await Task.Delay(random.Duration(request.Method == "GET" ? 25 : 70), time, context.RequestAborted);
        await ((request.Method, request.Path.Value!.Split('/')) switch
        {
            ("GET", ["", "v1", "balance"]) => response.WriteAsJsonAsync(new { currency = "eur", available = 1_284_350 + _charges, pending = 41_200 }),
            ("GET", ["", "v1", "charges", var id]) => response.WriteAsJsonAsync(new { id, status = "succeeded", currency = "eur" }),
            ("POST", ["", "v1", "charges"]) => ChargeAsync(request, response),
            ("POST", ["", "v1", "refunds"]) => response.WriteAsJsonAsync(new { id = $"re_{Interlocked.Increment(ref _charges):D6}", status = "pending" }),
            _ => NotFoundAsync(response),
        });
    }

    private async Task ChargeAsync(HttpRequest request, HttpResponse response)
    {
        Charge? charge;
        try
        {
            charge = await JsonSerializer.DeserializeAsync<Charge>(request.Body, JsonSerializerOptions.Web, request.HttpContext.RequestAborted);
        }
        catch (JsonException)
        {
            charge = null;
        }

        if (charge is not { Amount: > 0, Currency.Length: 3 })
        {
            response.StatusCode = StatusCodes.Status400BadRequest;
            await response.WriteAsJsonAsync(new { error = new { type = "invalid_request_error", message = "A charge needs amount, in cents, and currency." } });
            return;
        }

        if (random.Chance(0.03))
        {
            response.StatusCode = StatusCodes.Status402PaymentRequired;
            await response.WriteAsJsonAsync(new { error = new { type = "card_error", code = random.Pick(["card_declined", "insufficient_funds", "expired_card"]) } });
            return;
        }

        var id = $"ch_{Interlocked.Increment(ref _charges):D6}";
        response.StatusCode = StatusCodes.Status201Created;
        response.Headers.Location = $"https://{Host}/v1/charges/{id}";
        await response.WriteAsJsonAsync(new { id, status = "succeeded", amount = charge.Amount, currency = charge.Currency });
    }

    private static Task NotFoundAsync(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status404NotFound;
        return response.WriteAsJsonAsync(new { error = new { type = "invalid_request_error", message = "No such resource." } });
    }

    private (int Remaining, TimeSpan Reset) Take()
    {
        lock (_lock)
        {
            if (time.GetElapsedTime(_windowStarted) >= Window)
            {
                _windowStarted = time.GetTimestamp();
                _calls = 0;
            }

            return (CallsPerWindow - ++_calls, Window - time.GetElapsedTime(_windowStarted));
        }
    }

    private static string Seconds(TimeSpan span) => Math.Max(1, (int)Math.Ceiling(span.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

    /// <summary>What a charge is made of.</summary>
    private sealed record Charge(long Amount, string Currency);
}
