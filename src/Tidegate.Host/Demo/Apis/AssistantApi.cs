using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Tidegate.Host.Demo.Apis;

/// <summary>A language model: thinks, then streams tokens as server-sent events, and says at the end how many it used.</summary>
internal sealed class AssistantApi(MorningClock clock, TimeProvider time, DemoRandom random) : ISimulatedApi
{
    /// <summary>The share of questions that it has no room for: once each morning for a good while, which is when asking it less gets more answers.</summary>
    public static readonly Rhythm Busy = new("09:33 0, 09:35 0.75, 09:55 0.75, 09:58 0");

    private static readonly string[] Words = "the order left our warehouse this morning and should reach you by tomorrow if it does not please write to us again and we will send another one at no cost".Split(' ');

    // No standard status; models answer it when they are overloaded.
    private const int Overloaded = 529;

    private int _answers;

    public string Name => "assistant";

    public string Host => "api.assistant.example";

    public async Task AnswerAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        var isSpare = request.Headers.Authorization == $"Bearer {DemoKeys.Provider(Name + "-spare")}";
        if (!isSpare && request.Headers.Authorization != $"Bearer {DemoKeys.Provider(Name)}")
        {
            await ErrorAsync(response, StatusCodes.Status401Unauthorized, "invalid_api_key");
        }
        else if (isSpare && random.Chance(0.1))
        {
            response.Headers.RetryAfter = "5";
            await ErrorAsync(response, StatusCodes.Status429TooManyRequests, "rate_limit_exceeded");
        }
        else if (request is { Method: "GET", Path.Value: "/v1/models" })
        {
            await response.WriteAsJsonAsync(new { data = new[] { new { id = "tern-large" }, new { id = "tern-small" } } });
        }
        else if (request is not { Method: "POST", Path.Value: "/v1/chat/completions" })
        {
            await ErrorAsync(response, StatusCodes.Status404NotFound, "not_found");
        }
        else if (random.Chance(Busy[clock.Now]))
        {
            await ErrorAsync(response, StatusCodes.Status503ServiceUnavailable, "no_capacity");
        }
        else if (random.Chance(0.02))
        {
            response.Headers.RetryAfter = "2";
            await ErrorAsync(response, Overloaded, "overloaded");
        }
        else
        {
            await CompleteAsync(context);
        }
    }

    private async Task CompleteAsync(HttpContext context)
    {
        using var asked = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        var isLarge = asked.RootElement.TryGetProperty("model", out var model) && model.GetString() == "tern-large";
        var id = $"chat_{Interlocked.Increment(ref _answers):D6}";
        var usage = new { prompt_tokens = 40 + random.Below(900), completion_tokens = 20 + random.Below(isLarge ? 90 : 40) };
        await Task.Delay(random.Duration(isLarge ? 450 : 180), time, context.RequestAborted);
        if (!(asked.RootElement.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(15 * usage.completion_tokens), time, context.RequestAborted);
            await context.Response.WriteAsJsonAsync(new { id, text = Text(usage.completion_tokens), usage });
            return;
        }

        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        try
        {
            for (var token = 0; token < usage.completion_tokens; token++)
            {
                await SendAsync(context, new { id, delta = Words[token % Words.Length] + " " });
                await Task.Delay(random.Duration(isLarge ? 45 : 25, 0.3), time, context.RequestAborted);
            }

            await SendAsync(context, new { id, usage });
            await context.Response.WriteAsync("data: [DONE]\n\n", context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // The asker left; a model stops then too.
            return;
        }
    }

    private static string Text(int tokens) => string.Join(' ', Enumerable.Range(0, tokens).Select(token => Words[token % Words.Length]));

    private static async Task SendAsync(HttpContext context, object data)
    {
        await context.Response.WriteAsync($"data: {JsonSerializer.Serialize(data)}\n\n", context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    private static Task ErrorAsync(HttpResponse response, int status, string code)
    {
        response.StatusCode = status;
        return response.WriteAsJsonAsync(new { error = new { code } });
    }
}
