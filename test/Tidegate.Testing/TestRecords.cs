using System.Net;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Testing;

/// <summary>Records as the recorder makes them; change what matters with <c>with</c>.</summary>
public static class TestRecords
{
    /// <summary>A GET that a service of ours answered with 200 within 10 ms.</summary>
    public static ExchangeRecord Ingress { get; } = new()
    {
        Id = 1,
        Started = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        Direction = Direction.Ingress,
        Api = "orders",
        Endpoint = "",
        Consumer = new Consumer("billing", "acme", "production"),
        ClientAddress = IPAddress.Parse("192.0.2.1"),
        ClientProtocol = ProtocolVersion.Http11,
        Method = "GET",
        Scheme = "https",
        Host = "api.example.com",
        Port = 443,
        Path = "/orders/7",
        Status = 200,
        Outcome = Outcome.Forwarded,
        Attempts = 1,
        Destination = "http://10.0.0.1:5000",
        UpstreamProtocol = ProtocolVersion.Http11,
        RequestBytes = 10,
        ResponseBytes = 100,
        TimeToFirstByte = TimeSpan.FromMilliseconds(8),
        Total = TimeSpan.FromMilliseconds(10),
    };

    /// <summary>The same, of a call of ours to somebody else's API.</summary>
    public static ExchangeRecord Egress { get; } = Ingress with { Direction = Direction.Egress, Api = "stripe", Host = "api.stripe.com", Path = "/v1/charges" };

    /// <summary>Refused before it was forwarded.</summary>
    public static ExchangeRecord Refused { get; } = Ingress with
    {
        Status = 403,
        Outcome = Outcome.Rejected,
        Reason = "access",
        Code = "consumer_not_allowed",
        Attempts = 0,
        Destination = "",
        TimeToFirstByte = TimeSpan.Zero,
        UpstreamProtocol = ProtocolVersion.None,
    };
}
