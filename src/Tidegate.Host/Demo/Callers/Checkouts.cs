namespace Tidegate.Host.Demo.Callers;

/// <summary>Checkouts that charge by base URL. The campaign at half past nine takes them over the provider's limit, which both shops share.</summary>
internal sealed class Checkouts : ICallerGroup
{
    public Rhythm CallsPerSecond { get; } = new("07:00 1, 08:00 2, 09:00 4, 09:29 4, 09:31 13, 09:42 11, 09:46 4, 10:55 4, 11:05 2, 11:30 4, 11:33 7, 11:45 5, 12:00 3");

    public DemoCall Next(DemoRandom random, TimeOnly clock)
    {
        var caller = random.Chance(0.7) ? "checkout" : "globex-shop";
        return random.Below(100) switch
        {
            < 55 => new DemoCall(caller, CallRoute.BaseUrl, "POST", "/payments/v1/charges") { Content = $$"""{"amount":{{990 + random.Below(20_000)}},"currency":"eur"}""", Retries = true },
            < 75 => new DemoCall(caller, CallRoute.BaseUrl, "GET", $"/shipping/v2/rates?country={random.Pick(["de", "fr", "nl", "se", "pl"])}&weight={1 + random.Below(12)}"),
            < 92 => new DemoCall(caller, CallRoute.BaseUrl, "GET", $"/payments/v1/charges/ch_{1 + random.Below(900):D6}"),
            < 97 => new DemoCall(caller, CallRoute.BaseUrl, "GET", "/payments/v1/balance"),
            _ => new DemoCall(caller, CallRoute.BaseUrl, "POST", "/payments/v1/refunds") { Content = """{"reason":"returned"}""" },
        };
    }
}
