using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Tidegate.Host.Demo.Apis;

/// <summary>A catalogue whose answers may be cached: Cache-Control, ETag, 304, and pages that link to the next.</summary>
internal sealed class CatalogueApi(string name, MorningClock clock, TimeProvider time, DemoRandom random) : ISimulatedApi
{
    /// <summary>The share of calls that the first region answers with 503. The second is always there.</summary>
    public static readonly Rhythm FirstRegionDown = new("07:20 0, 07:21 1, 07:26 1, 07:27 0, 08:50 0, 08:51 1, 08:56 1, 08:57 0, 09:31 0, 09:32 1, 09:40 1, 09:41 0, 10:30 0, 10:31 1, 10:36 1, 10:37 0, 11:40 0, 11:41 1, 11:46 1, 11:47 0");

    public const int Products = 400;
    private const int PageSize = 20;
    private static readonly string[] Adjectives = ["folding", "oak", "waterproof", "small", "blue", "enamel", "woollen", "steel"];
    private static readonly string[] Nouns = ["lantern", "kettle", "rucksack", "bench", "blanket", "compass", "mug", "oar", "tent", "stove"];

    public string Name => name;

    public string Host => "api.catalogue.example";

    public async Task AnswerAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
        {
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            response.Headers.Allow = "GET, HEAD";
            return;
        }

        if (name == "catalogue" && random.Chance(FirstRegionDown[clock.Now]))
        {
            response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        var parts = request.Path.Value!.Split('/');
        if (parts is ["", "v1", "products", var text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id is > 0 and <= Products)
        {
            await WriteAsync(context, $"\"{id}-{Price(id)}\"", TimeSpan.FromSeconds(30), Product(id));
        }
        else if (parts is ["", "v1", "products"])
        {
            var page = int.TryParse(request.Query["page"], NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? Math.Clamp(asked, 1, Products / PageSize) : 1;
            if (page < Products / PageSize)
            {
                response.Headers.Link = $"<https://{Host}/v1/products?page={page + 1}>; rel=\"next\"";
            }

            var items = Enumerable.Range(((page - 1) * PageSize) + 1, PageSize).Select(Product).ToList();
            await WriteAsync(context, $"\"page-{page}-{Hour}\"", TimeSpan.FromSeconds(10), new { page, pages = Products / PageSize, items });
        }
        else
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            await response.WriteAsJsonAsync(new { message = "no such product" });
        }
    }

    private async Task WriteAsync(HttpContext context, string tag, TimeSpan maxAge, object value)
    {
        var (request, response) = (context.Request, context.Response);
        response.Headers.ETag = tag;
        response.Headers.CacheControl = $"public, max-age={maxAge.TotalSeconds}";
        response.Headers.Vary = "Accept-Encoding";
        if (request.Headers.IfNoneMatch == tag)
        {
            await Task.Delay(random.Duration(8), time, context.RequestAborted);
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        await Task.Delay(random.Duration(35), time, context.RequestAborted);
        await response.WriteAsJsonAsync(value);
    }

    private object Product(int id) => new { id, name = $"{Adjectives[id % Adjectives.Length]} {Nouns[id % Nouns.Length]} no. {id}", price = Price(id) / 100.0, stock = id * 7 % 90 };

    /// <summary>A product whose price is another one in this hour than in the last.</summary>
    public static int Changed(int hour, DemoRandom random)
    {
        // Those that became dearer, and those that did so an hour ago and are as before.
        var lastDigit = (20 - hour + random.Below(2)) % 10;
        return lastDigit == 0 ? 10 * (1 + random.Below(Products / 10)) : lastDigit + (10 * random.Below(Products / 10));
    }

    // Every hour of the morning a few prices change, and with them the tags.
    private int Price(int id) => 990 + (id * 137 % 9_000) + ((id + Hour) % 10 == 0 ? Hour * 10 : 0);

    private int Hour => clock.Now.Hour;
}
