using Tidegate.Host.Demo.Apis;

namespace Tidegate.Host.Demo.Callers;

/// <summary>Batch jobs: the catalogue is copied page by page after seven, and every full hour the books are balanced.</summary>
internal sealed class Reports : ICallerGroup
{
    public Rhythm CallsPerSecond { get; } = new("07:04 0.5, 07:06 12, 07:34 12, 07:36 0.5, 07:59 0.5, 08:00 5, 08:03 0.5, 08:59 0.5, 09:00 5, 09:03 0.5, 09:59 0.5, 10:00 5, 10:03 0.5, 10:59 0.5, 11:00 5, 11:03 0.5");

    public DemoCall Next(DemoRandom random, TimeOnly clock) => clock.Hour == 7
        ? new DemoCall("reports", CallRoute.Proxy, "GET", $"http://api.catalogue.example/v1/products?page={1 + random.Below(CatalogueApi.Products / 20)}")
        : new DemoCall("reports", CallRoute.BaseUrl, "GET", random.Chance(0.1) ? "/payments/v1/balance" : $"/payments/v1/charges/ch_{1 + random.Below(900):D6}") { Retries = true };
}
