namespace Tidegate.Host.Demo.Callers;

/// <summary>Partners on the ingress edge: two that order, one that may only look, one that never got its new key, and at a quarter to nine a scanner.</summary>
internal sealed class Partners : ICallerGroup
{
    private static readonly string[] Scanned = ["/.env", "/wp-login.php", "/admin/config", "/.git/HEAD", "/orders/../admin", "/orders/%2e%2e/%2e%2e/etc/passwd", "/api/v1/users", "/phpmyadmin/"];

    public Rhythm CallsPerSecond { get; } = new("07:00 3, 08:00 4, 08:44 5, 08:45 9, 08:49 9, 08:50 5, 09:30 6, 10:30 5, 11:05 3, 11:30 5, 12:00 4");

    public DemoCall Next(DemoRandom random, TimeOnly clock)
    {
        if (clock >= new TimeOnly(8, 45) && clock < new TimeOnly(8, 50) && random.Chance(0.5))
        {
            return new DemoCall("scanner", CallRoute.Ingress, "GET", random.Pick(Scanned)) { Key = "" };
        }

        var partner = random.Below(100) switch { < 50 => "northwind", < 82 => "fabrikam", < 92 => "tailspin", _ => "contoso" };
        if (partner == "contoso")
        {
            // The key that it had before all keys were changed.
            return new DemoCall("contoso", CallRoute.Ingress, "GET", "/orders") { Key = "contoso-key-of-2019" };
        }

        return random.Below(100) switch
        {
            < 40 => new DemoCall(partner, CallRoute.Ingress, "GET", "/orders"),
            < 72 => new DemoCall(partner, CallRoute.Ingress, "GET", $"/orders/{990 + random.Below(40)}"),
            < 97 => new DemoCall(partner, CallRoute.Ingress, "POST", "/orders") { Content = $$"""{"product":{{1 + random.Below(400)}},"quantity":{{1 + random.Below(4)}}}""" },
            _ => new DemoCall(partner, CallRoute.Ingress, "DELETE", $"/orders/{990 + random.Below(40)}"),
        };
    }
}
