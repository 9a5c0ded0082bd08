using System.Net.Http.Json;
using Microsoft.AspNetCore.Http;

namespace Tidegate.Host.Demo.Apis;

/// <summary>One instance of our own API. A new order makes calls of its own, out through the gateway's other edge: a shipping rate and a charge.</summary>
internal sealed class OrdersService(int instance, TimeProvider time, DemoRandom random, OrderNumbers numbers, Func<HttpClient> gateway) : ISimulatedApi
{
    public string Name => $"orders-{instance}";

    public string? Host => null;

    public async Task AnswerAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        response.Headers["X-Instance"] = Name;

        // The second instance is on the older machine.
        await Task.Delay(random.Duration(instance == 1 ? 12 : 28), time, context.RequestAborted);
        await ((request.Method, request.Path.Value!.Split('/')) switch
        {
            ("GET", ["", "orders"]) => response.WriteAsJsonAsync(new { orders = Enumerable.Range(Math.Max(1, numbers.Last - 9), 10).Select(Order) }),
            ("GET", ["", "orders", var text]) when int.TryParse(text, out var id) && id > 0 && id <= numbers.Last => response.WriteAsJsonAsync(Order(id)),
            ("POST", ["", "orders"]) => PlaceAsync(context),
            ("POST", ["", "hooks", "catalogue"]) => NotedAsync(response),
            _ => NotFoundAsync(response),
        });
    }

    private static object Order(int id) => new { id, status = id % 5 == 0 ? "shipped" : "paid", total = 990 + (id * 311 % 15_000) };

    private async Task PlaceAsync(HttpContext context)
    {
        var id = numbers.Next();
        using var rates = await gateway().GetAsync($"/shipping/v2/rates?order={id}", context.RequestAborted);
        using var charge = await gateway().PostAsJsonAsync("/payments/v1/charges", new { order = id, currency = "eur" }, context.RequestAborted);

        // What the providers could not do now is done later: the order stands.
        context.Response.StatusCode = charge.IsSuccessStatusCode ? StatusCodes.Status201Created : StatusCodes.Status202Accepted;
        context.Response.Headers.Location = $"/orders/{id}";
        await context.Response.WriteAsJsonAsync(new { id, paid = charge.IsSuccessStatusCode, shipping = rates.IsSuccessStatusCode ? "quoted" : "pending" });
    }

    /// <summary>That a product has changed is for the gateway's cache; the shop itself has nothing to do.</summary>
    private static Task NotedAsync(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private static Task NotFoundAsync(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status404NotFound;
        return response.WriteAsJsonAsync(new { message = "no such order" });
    }
}

/// <summary>What the instances' shared database would be.</summary>
internal sealed class OrderNumbers
{
    private int _last = 1_000;

    public int Last => Volatile.Read(ref _last);

    public int Next() => Interlocked.Increment(ref _last);
}
