using Microsoft.AspNetCore.Http;

namespace Tidegate.Host.Demo.Apis;

/// <summary>A shipping provider that is slow now and then, and down a few times each morning.</summary>
internal sealed class ShippingApi(MorningClock clock, TimeProvider time, DemoRandom random) : ISimulatedApi
{
    /// <summary>The share of calls that get 503.</summary>
    /// <summary>The share of calls that find it down.</summary>
    public static readonly Rhythm Down = new("08:20 0, 08:21 0.9, 08:25 0.9, 08:26 0, 09:35 0, 09:36 0.8, 09:42 0.8, 09:45 0, 11:10 0, 11:11 1, 11:14 1, 11:15 0");

    private int _labels;

    public string Name => "shipping";

    public string Host => "api.shipping.example";

    public async Task AnswerAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        if (request.Headers["X-Api-Key"] != DemoKeys.Provider(Name))
        {
            response.StatusCode = StatusCodes.Status403Forbidden;
            await response.WriteAsJsonAsync(new { message = "unknown account" });
            return;
        }

        var down = Down[clock.Now];
        if (random.Chance(down))
        {
            await Task.Delay(random.Duration(15), time, context.RequestAborted);
            response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            response.Headers.RetryAfter = "3";
            response.ContentType = "text/html";
            await response.WriteAsync("<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>");
            return;
        }

        // What still gets through while it is down takes long; so does one call in forty at any time.
        var isSlow = down > 0 || random.Chance(0.025);
        await Task.Delay(random.Duration(isSlow ? 1_700 : 110, isSlow ? 0.4 : 0.5), time, context.RequestAborted);
        await ((request.Method, request.Path.Value!.Split('/')) switch
        {
            ("GET", ["", "v2", "rates"]) => response.WriteAsJsonAsync(new { rates = new[] { new { service = "economy", price = 4.90, days = 4 }, new { service = "express", price = 11.50, days = 1 } } }),
            ("GET", ["", "v2", "tracking", var number]) => response.WriteAsJsonAsync(new { number, status = random.Pick(["accepted", "in_transit", "in_transit", "out_for_delivery", "delivered"]) }),
            ("POST", ["", "v2", "labels"]) => LabelAsync(response),
            _ => NotFoundAsync(response),
        });
    }

    private async Task LabelAsync(HttpResponse response)
    {
        var number = Interlocked.Increment(ref _labels);
        response.StatusCode = StatusCodes.Status201Created;
        response.ContentType = "application/pdf";
        response.Headers["X-Tracking-Number"] = $"TG{number:D9}";

        // The size of a real label; what is in it does not matter here.
        var label = new byte[18_000];
        "%PDF-1.4\n"u8.CopyTo(label);
        await response.Body.WriteAsync(label);
    }

    private static Task NotFoundAsync(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status404NotFound;
        return response.WriteAsJsonAsync(new { message = "not found" });
    }
}
