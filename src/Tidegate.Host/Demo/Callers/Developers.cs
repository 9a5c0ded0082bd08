namespace Tidegate.Host.Demo.Callers;

/// <summary>A developer's machine with HTTPS_PROXY set: tries things out, some of them refused, and has a tool that calls home.</summary>
internal sealed class Developers : ICallerGroup
{
    public Rhythm CallsPerSecond { get; } = new("07:00 0, 08:00 0.3, 09:00 1.2, 10:55 1, 11:05 0.3, 11:30 1, 12:00 0.6");

    public DemoCall Next(DemoRandom random, TimeOnly clock) => random.Below(100) switch
    {
        < 35 => Call("GET", $"https://api.payments.example/v1/charges/ch_{1 + random.Below(300):D6}"),
        < 50 => Call("POST", "https://api.payments.example/v1/charges") with { Content = """{"amount":1,"currency":"eur"}""" },
        < 65 => Call("POST", "https://api.assistant.example/v1/chat/completions") with { Content = """{"model":"tern-small","stream":true,"messages":[]}""" },
        < 75 => Call("POST", "https://api.payments.example/v1/refunds") with { Content = """{"reason":"test"}""" },
        < 82 => Call("DELETE", "https://api.payments.example/v1/charges/ch_000001"),
        < 88 => Call("GET", "https://api.shipping.example/v2/rates?country=de&weight=1"),
        < 94 => new DemoCall("developer", CallRoute.Proxy, "POST", "http://telemetry.toolmaker.example/collect") { Content = "{}" },
        _ => Call("GET", "https://api.catalogue.example/v1/products/7") with { Key = "forgotten-to-set" },
    };

    private static DemoCall Call(string method, string url) => new("developer", CallRoute.Intercepted, method, url);
}
