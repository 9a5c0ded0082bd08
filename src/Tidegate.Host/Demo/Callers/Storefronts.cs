using Tidegate.Host.Demo.Apis;

namespace Tidegate.Host.Demo.Callers;

/// <summary>Three shop front ends that read the catalogue by base URL: ours, its staging copy, and globex's. Few products are read often.</summary>
internal sealed class Storefronts : ICallerGroup
{
    public Rhythm CallsPerSecond { get; } = new("07:00 5, 07:50 8, 08:30 13, 09:28 15, 09:30 26, 09:44 22, 10:00 14, 10:55 14, 11:05 7, 11:20 8, 11:32 18, 11:45 14, 12:00 12");

    public DemoCall Next(DemoRandom random, TimeOnly clock)
    {
        var caller = random.Below(100) switch { < 60 => "storefront", < 90 => "globex-shop", _ => "storefront-staging" };

        // Staging tries to pay now and then, which it must not.
        if (caller == "storefront-staging" && random.Chance(0.04))
        {
            return new DemoCall(caller, CallRoute.BaseUrl, "POST", "/payments/v1/charges") { Content = """{"amount":100,"currency":"eur"}""" };
        }

        // One product in forty is asked for that no longer exists: an old link.
        var product = random.Chance(0.025) ? CatalogueApi.Products + 1 + random.Below(50) : 1 + (random.Below(CatalogueApi.Products) * random.Below(CatalogueApi.Products) / CatalogueApi.Products);
        var target = random.Chance(0.2) ? $"/catalogue/v1/products?page={1 + random.Below(5)}" : $"/catalogue/v1/products/{product}";
        return new DemoCall(caller, CallRoute.BaseUrl, "GET", target) { Remembers = random.Chance(0.8) };
    }
}
