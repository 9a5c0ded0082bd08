namespace Tidegate.Host.Demo.Callers;

/// <summary>The warehouse tracks parcels and prints labels, a batch of them before the carrier comes at eleven. An old program: it only knows HTTP_PROXY.</summary>
internal sealed class Warehouse : ICallerGroup
{
    public Rhythm CallsPerSecond { get; } = new("07:00 2, 08:00 4, 10:38 5, 10:40 15, 10:52 14, 10:54 3, 11:20 3, 12:00 4");

    public DemoCall Next(DemoRandom random, TimeOnly clock)
    {
        var isBatch = clock >= new TimeOnly(10, 39) && clock < new TimeOnly(10, 54);
        return random.Chance(isBatch ? 0.85 : 0.3)
            ? new DemoCall("warehouse", CallRoute.Proxy, "POST", "http://api.shipping.example/v2/labels") { Content = $$"""{"order":{{1_000 + random.Below(900)}},"weight":{{1 + random.Below(12)}}}""", Retries = true }
            : new DemoCall("warehouse", CallRoute.Proxy, "GET", $"http://api.shipping.example/v2/tracking/TG{1 + random.Below(2_000):D9}");
    }
}
