using Tidegate.Exchanges;
using Tidegate.Routing;
using Xunit;

namespace Tidegate.Tests.Routing;

public sealed class RouteTableTests
{
    private static readonly RouteTable Table = new(
    [
        Route("any", []),
        Route("wild", ["*.example.com"]),
        Route("exact", ["api.example.com"]),
        Route("orders", ["api.example.com"], "/orders"),
        Route("orders", ["api.example.com"], "/orders", "/{id}"),
        Route("orders", ["api.example.com"], "/orders", "/search"),
        Route("orders", ["api.example.com"], "/orders", "/**"),
        Route("orders", ["api.example.com"], "/orders", "/{id}", ["DELETE"]),
    ]);

    [Theory]
    [InlineData("api.example.com", "/", "exact", "")]
    [InlineData("api.example.com", "/ordersx", "exact", "")]
    [InlineData("api.example.com", "/orders/7", "orders", "/{id}")]
    [InlineData("api.example.com", "/orders/search", "orders", "/search")]
    [InlineData("api.example.com", "/orders/7/lines", "orders", "/**")]
    [InlineData("a.b.example.com", "/", "wild", "")]
    [InlineData("example.com", "/", "any", "")]
    [InlineData("other.test", "/x", "any", "")]
    public void The_most_specific_host_path_and_endpoint_wins(string host, string path, string api, string endpoint)
    {
        var route = Table.Match(Direction.Ingress, "GET", new ExchangeTarget("http", host, 80, path, null)).Route;

        Assert.Equal((api, endpoint), (route?.ApiName, route?.EndpointPath ?? ""));
    }

    [Fact]
    public void A_listed_method_comes_before_any_method() =>
        Assert.Equal(["DELETE"], Table.Match(Direction.Ingress, "DELETE", new ExchangeTarget("http", "api.example.com", 80, "/orders/7", null)).Route?.Methods);

    [Fact]
    public void A_target_that_comes_again_is_routed_the_same_and_by_its_method_direction_and_table()
    {
        var target = new ExchangeTarget("http", "api.example.com", 80, "/orders/7", null);
        var other = new RouteTable([Route("new", ["api.example.com"])]);
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal("/{id}", Table.Match(Direction.Ingress, "GET", target).Route?.EndpointPath);
            Assert.Equal("/{id}", Table.Match(Direction.Ingress, "GET", target).Route?.EndpointPath);
            Assert.Equal(["DELETE"], Table.Match(Direction.Ingress, "DELETE", target).Route?.Methods);
            Assert.Equal(["DELETE"], Table.Match(Direction.Ingress, "DELETE", target).Route?.Methods);
            Assert.Null(Table.Match(Direction.Egress, "GET", target).Route);
            Assert.Null(Table.Match(Direction.Egress, "GET", target).Route);
            Assert.Equal("new", other.Match(Direction.Ingress, "GET", target).Route?.ApiName);
            Assert.Equal("new", other.Match(Direction.Ingress, "GET", target).Route?.ApiName);
        }

        Assert.Equal(new ExchangeTarget("http", "api.example.com", 80, "/orders/7", null), target);
    }

    [Fact]
    public void The_other_direction_has_none_of_these_routes() =>
        Assert.Null(Table.Match(Direction.Egress, "GET", new ExchangeTarget("http", "api.example.com", 80, "/", null)).Route);

    [Theory]
    [InlineData("api.example.com", "exact")]
    [InlineData("a.b.example.com", "wild")]
    public void An_options_request_for_the_server_goes_to_the_api_that_has_all_of_the_host(string host, string api) =>
        Assert.Equal(api, Table.Match(Direction.Ingress, "OPTIONS", new ExchangeTarget("http", host, 80, "*", null)).Route?.ApiName);

    [Theory]
    [InlineData("/pay/v1/charges", "pay", "/v1/charges")]
    [InlineData("/pay/v2", null, "/v2")]
    [InlineData("/pay", null, "/")]
    [InlineData("/payment/v1", null, "/payment/v1")]
    [InlineData("/pay/eu/v1", "pay-eu", "/v1")]
    public void A_base_path_leads_to_its_api_within_the_apis_own_path(string path, string? api, string rest)
    {
        var table = new RouteTable(
        [
            Route("pay", ["pay.test"], "/v1") with { Direction = Direction.Egress, BasePath = "/pay" },
            Route("pay-eu", ["eu.pay.test"]) with { Direction = Direction.Egress, BasePath = "/pay/eu" },
        ]);

        var match = table.MatchBasePath("GET", path);

        Assert.Equal((api, rest), (match.Route?.ApiName, match.Path));
    }

    private static Route Route(string api, string[] hosts, string prefix = "/", string? endpoint = null, string[]? methods = null) =>
        new() { Index = 0, Direction = Direction.Ingress, ApiName = api, Hosts = hosts, PathPrefix = prefix, EndpointPath = endpoint, EndpointName = endpoint ?? "", Methods = methods ?? [] };
}
