using Tidegate.Configuration;
using Tidegate.Forwarding;
using Xunit;

namespace Tidegate.Tests.Configuration;

public sealed class CheckTests
{
    [Fact]
    public async Task Every_problem_is_found_at_once_with_its_place()
    {
        var problems = await ProblemsAsync("""
            listeners:
              egress: { address: 127.0.0.1, intercep: true }
              admin: { address: 0.0.0.0:9900 }
            consumers:
              - { name: a, credentials: [{ api_key: "${env:SHORT}" }] }
            apis:
              - name: x
                direction: egres
                hosts: [a.test]
              - name: y
                direction: egress
                hosts: [foo.test, "https://bar"]
                timeouts: { connect: 5 }
                access: { consumers: [b], methods: [get] }
              - name: y
                direction: egress
                hosts: [FOO.test]
                credential: { header: Authorization, value: "${secret:gone}" }
            """);

        Assert.Equal(
        [
            "t.yaml:2:22 error: '127.0.0.1' is no address",
            "t.yaml:2:33 error: unknown key 'intercep', did you mean 'intercept'?",
            "t.yaml:3:21 error: the admin listener is not on loopback",
            "t.yaml:5:41 error: an API key needs at least 8 characters",
            "t.yaml:8:16 error: 'direction' is 'egres'",
            "t.yaml:12:23 error: 'https://bar' is no host",
            "t.yaml:13:26 error: 'connect' is '5'",
            "t.yaml:14:27 error: there is no consumer 'b'",
            "t.yaml:14:41 error: 'get' is no method",
            "t.yaml:15:11 error: there are two APIs named 'y'",
            "t.yaml:17:13 error: 'y' already has host 'FOO.test'",
            "t.yaml:18:49 error: the secret 'gone' cannot be found",
        ], problems.Select(problem => problem.Split([';', '('])[0].Trim()));
    }

    [Theory]
    [InlineData("apis: [", "this is not YAML")]
    [InlineData("", "the file is empty")]
    [InlineData("just text", "expected a mapping")]
    [InlineData("apis: []", "nothing listens")]
    public async Task A_file_that_is_no_configuration_is_one_clear_error(string yaml, string expected) =>
        Assert.Contains(expected, Assert.Single(await ProblemsAsync(yaml)), StringComparison.Ordinal);

    [Theory]
    [InlineData("http3: on", "t.yaml:1:57 error: HTTP/3 needs TLS")]
    [InlineData("http3: yes", "t.yaml:1:57 error: 'http3' is 'yes'")]
    [InlineData("http3_advertised_port: 65536", "t.yaml:1:73 error: a port is a number from 1 to 65535")]
    public async Task Http3_that_cannot_be_served_is_an_error(string key, string expected) =>
        Assert.StartsWith(expected, Assert.Single(await ProblemsAsync($"listeners: {{ ingress: {{ address: 127.0.0.1:8443, {key} }} }}")), StringComparison.Ordinal);

    [Theory]
    [InlineData("direction: ingress, upstream: { destinations: [https://a.test, http://b.test], protocol: http3 }", "t.yaml:4:82 error: HTTP/3 needs TLS, and 'http://b.test' has none; write https, or another protocol")]
    [InlineData("direction: ingress, upstream: { destinations: [https://a.test], protocol: http3, tls: { server_name: b.test } }", "t.yaml:4:120 error: over HTTP/3 the TLS name is always the Host that is sent; remove server_name (host: rewrite sends the destination's name), or write another protocol")]
    [InlineData("direction: ingress, upstream: { destinations: [https://a.test, https://b.test], protocol: http3, host: rewrite, tls: { server_name: a.test } }", "error: over HTTP/3 the TLS name")]
    [InlineData("direction: egress, hosts: [a.test], upstream: { destinations: [https://a.test], protocol: http3 }", "t.yaml:4:109 error: a tunnel carries TCP and would pass HTTP/3 by; set the API's tunnel to intercept or refused, or write another protocol")]
    [InlineData("direction: egress, hosts: [a.test], tunnel: any, upstream: { destinations: [https://a.test], protocol: http3 }", "t.yaml:4:63 error: a tunnel carries TCP")]
    public async Task Http3_to_upstreams_refuses_what_it_cannot_hold_to(string api, string expected) =>
        Assert.Contains(expected, Assert.Single(await Http3ProblemsAsync(api)), StringComparison.Ordinal);

    [Theory]
    [InlineData("direction: ingress, upstream: { destinations: [https://a.test], protocol: http3 }")]
    [InlineData("direction: ingress, upstream: { destinations: [https://a.test], protocol: http3, host: rewrite, tls: { server_name: A.test } }")]
    [InlineData("direction: egress, hosts: [a.test], base_path: /a, tunnel: refused, upstream: { destinations: [https://a.test], protocol: http3 }")]
    [InlineData("direction: egress, hosts: [a.test], path: /v1, upstream: { destinations: [https://a.test], protocol: http3 }")]
    public async Task Http3_to_upstreams_is_good_where_every_protection_holds(string api) => Assert.Empty(await Http3ProblemsAsync(api));

    [Theory]
    [InlineData("{ rate: 100 }", "'100' is no rate")]
    [InlineData("{ rate: 0/s }", "'0/s' is no rate")]
    [InlineData("{ rate: 5/month }", "'5/month' is no rate")]
    [InlineData("{ rate: 5/fortnight }", "'5/fortnight' is no rate")]
    [InlineData("{ rate: -5/s }", "'-5/s' is no rate")]
    [InlineData("{ rate: 99999999999999999999/s }", "'99999999999999999999/s' is no rate")]
    [InlineData("{ quota: 5/s }", "'5/s' is no quota")]
    [InlineData("{ quota: 5/month, time_zone: Mars/Olympus }", "there is no time zone 'Mars/Olympus'")]
    [InlineData("{ quota: 5/month, reset_day: 32 }", "a month has no day 32")]
    [InlineData("{ rate: 5/s, concurrency: 2 }", "exactly one of rate, quota and concurrency")]
    [InlineData("{ max_wait: 2s }", "exactly one of rate, quota and concurrency")]
    [InlineData("{ concurrency: 2, burst: 3 }", "burst belongs to a rate")]
    [InlineData("{ rate: 5/s, reset_day: 3 }", "belong to a quota")]
    [InlineData("{ rate: 5/s, max_wait: 3s }", "belongs to when_exceeded: queue")]
    [InlineData("{ rate: 5/s, per: consumr }", "did you mean 'consumer'")]
    [InlineData("{ rate: 5/s, per: 'path:id' }", "needs a {id}")]
    [InlineData("{ rate: 5/s, cost: { points: 2 } }", "belongs to a limit of points")]
    [InlineData("{ rate: 5 points/s, cost: { points: 6 } }", "no request would ever pass")]
    [InlineData("{ quota: 5/day, reset_day: 15 }", "belongs to a quota of a month")]
    [InlineData("{ rate: 5/s, on_error: deny }", "outlive a restart")]
    [InlineData("{ rate: 10 points/s, cost: { json: model.tokens } }", "'model.tokens' is no JSON pointer to a field; write /usage/total_tokens")]
    [InlineData("{ rate: 10/s, cost: { response_json: /usage } }", "cost belongs to a limit of points")]
    [InlineData("{ rate: 10/s, shares: { by: enviroment, of: [{ value: a }] } }", "did you mean 'environment'?")]
    [InlineData("{ rate: 10/s, shares: { by: tenant, of: [{ value: a, guaranteed: 60% }, { value: b, guaranteed: 50% }] } }", "more than everything is guaranteed: 110%")]
    [InlineData("{ rate: 10/s, shares: { by: tenant, of: [{ value: a, guaranteed: 5% }] } }", "5% of 10/s is less than one")]
    [InlineData("{ rate: 10/s, burst: 2, shares: { by: tenant, of: [{ value: a, guaranteed: 20% }] } }", "20% of a burst of 2 is less than one")]
    [InlineData("{ quota: 10/day, shares: { by: tenant, of: [{ value: a, guaranteed: 100% }, { value: b }] } }", "of a quota nothing that is guaranteed is lent. Guarantee 'b' a part")]
    [InlineData("{ rate: 10/s, shares: { by: tenant, of: [{ value: a }, { value: a }] } }", "two shares of 'a'")]
    [InlineData("{ rate: 10/s, shares: { by: tenant, of: [{ value: a, guaranteed: 50%, max: 40% }] } }", "max is below what is guaranteed")]
    [InlineData("{ rate: 10/s, per: tenant, shares: { by: tenant, of: [{ value: a }] } }", "nobody is left to share it with")]
    [InlineData("{ rate: 5/s, overrides: [{ value: a, rate: 9/s }] }", "overrides are for values of per")]
    [InlineData("{ rate: 5/s, per: 'header:a', overrides: [{ value: a, quota: 9/day }] }", "write rate and nothing else")]
    [InlineData("{ rate: 5/s, per: 'header:a', overrides: [{ value: a }] }", "write rate and nothing else")]
    [InlineData("{ rate: 5/s, per: 'header:a', overrides: [{ value: a, rate: 9 }] }", "'9' is no rate")]
    [InlineData("{ rate: 5/s, per: 'header:a', overrides: [{ value: a, rate: 9MB/s }] }", "the limit counts requests, and its overrides must too")]
    [InlineData("{ quota: 5/day, per: 'header:a', overrides: [{ value: a, quota: 9/month }] }", "the limit counts by the day, and its overrides must too")]
    [InlineData("{ rate: 5/s, per: 'header:a', overrides: [{ value: a, rate: 9/s, burst: 2 }] }", "burst belongs to an override of a limit with burst")]
    [InlineData("{ rate: 5/s, per: 'header:a', overrides: [{ value: [a, b], rate: 9/s }] }", "per names 1 here: write one value")]
    [InlineData("{ rate: 5/s, per: ['header:a', 'header:b'], overrides: [{ value: [], rate: 9/s }] }", "per names 2 here: write 1 to 2 values")]
    [InlineData("{ rate: 5/s, per: 'header:a', overrides: [{ value: a, rate: 9/s }, { value: a, rate: 8/s }] }", "two overrides for 'a'")]
    [InlineData("{ rate: 5/s, per: client_address, overrides: [{ value: 10.0.0.0.1, rate: 9/s }] }", "'10.0.0.0.1' is no address")]
    [InlineData("{ rate: 5/s, per: consumer, overrides: [{ value: acne, rate: 9/s }] }", "there is no consumer 'acne'")]
    [InlineData("{ rate: 9 points/s, per: 'header:a', cost: { points: 6 }, overrides: [{ value: a, rate: 5 points/s }] }", "it costs 6, and the limit lets 5 points/s for a pass")]
    [InlineData("{ rate: 5/s, per: ['header:a', 'header:b', 'header:c', 'header:d', 'header:e', 'header:f', 'header:g', 'header:h', 'header:i'] }", "at most 8")]
    public async Task A_limit_that_cannot_be_meant_is_an_error_at_its_place(string limit, string expected)
    {
        var problem = Assert.Single(await ProblemsAsync($$"""
            listeners: { egress: { address: 127.0.0.1:8080 } }
            apis:
              - name: x
                direction: egress
                hosts: [a.test]
                limits:
                  - {{limit}}
            """));

        Assert.StartsWith("t.yaml:7:", problem, StringComparison.Ordinal);
        Assert.Contains(expected, problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_adaptive_limit_whose_bounds_cross_is_an_error_at_its_place() =>
        Assert.Equal("t.yaml:2:93 error: min (20) is above max (10)", Assert.Single(await ProblemsAsync(
            "listeners: { egress: { address: 127.0.0.1:8080 } }\napis: [{ name: x, direction: egress, hosts: [a.test], adaptive_concurrency: { max: 10, min: 20 } }]")));

    [Theory]
    [InlineData("{ override: true }", "override needs ttl or negative_ttl")]
    [InlineData("{ key: { query_ignore: a, query_allow: b } }", "exclude each other")]
    [InlineData("{ key: { headers: 'a b' } }", "names of fields")]
    [InlineData("{ key: { body: true } }", "for an endpoint")]
    [InlineData("{ mode: standart }", "did you mean 'standard'")]
    [InlineData("{ partition: tenant }", "credential, consumer, none")]
    public async Task A_cache_that_cannot_be_meant_is_an_error_at_its_place(string cache, string expected)
    {
        var problem = Assert.Single(await ProblemsAsync($$"""
            listeners: { egress: { address: 127.0.0.1:8080 } }
            apis:
              - name: x
                direction: egress
                hosts: [a.test]
                cache:
                  {{cache}}
            """));

        Assert.StartsWith("t.yaml:7:", problem, StringComparison.Ordinal);
        Assert.Contains(expected, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ signature: stripe, secret: x }", "needs at least 16 bytes")]
    [InlineData("{ signature: standard, secret: 'whsec_!!' }", "is base64")]
    [InlineData("{ signature: hmac_hex, secret: 0123456789abcdef }", "need header")]
    [InlineData("{ signature: hmac_hex, secret: 0123456789abcdef, header: 'a b' }", "no name of a field")]
    [InlineData("{ signature: github, secret: 0123456789abcdef, prefix: x }", "prefix is for hmac_hex")]
    [InlineData("{ signature: stripe, secret: 0123456789abcdef, tolerance: 2h }", "at most 1h")]
    [InlineData("{ signature: stripe }", "'secret' is missing")]
    [InlineData("{ signature: strip, secret: 0123456789abcdef }", "did you mean 'stripe'")]
    [InlineData("{ signature: stripe, secret: 0123456789abcdef, purges: { api: catalog } }", "did you mean 'catalogue'")]
    [InlineData("{ signature: stripe, secret: 0123456789abcdef, purges: { api: hooks } }", "stores nothing")]
    [InlineData("{ signature: stripe, secret: 0123456789abcdef, max_content: 26MB }", "max_content is at most 25MB")]
    [InlineData("{ signature: stripe, secret: 0123456789abcdef, purges: { api: catalogue, tags: 'a{id}' } }", "JSON pointer")]
    [InlineData("{ signature: stripe, secret: 0123456789abcdef, purges: { api: catalogue, urls: '/v1/{/id}' } }", "no absolute http or https URL")]
    public async Task A_webhook_that_cannot_be_meant_is_said_at_its_place(string webhook, string expected)
    {
        var problem = Assert.Single(await ProblemsAsync($$"""
            listeners: { ingress: { address: 127.0.0.1:8080 }, egress: { address: 127.0.0.1:8081 } }
            apis:
              - { name: catalogue, direction: egress, hosts: [a.test], cache: { mode: standard } }
              - name: hooks
                direction: ingress
                upstream: { destinations: [http://127.0.0.1:1] }
                endpoints:
                  - match: { path: /hook, methods: [POST] }
                    webhook:
                      {{webhook}}
            """), problem => !problem.Contains("plain text", StringComparison.Ordinal));

        Assert.StartsWith("t.yaml:10:", problem, StringComparison.Ordinal);
        Assert.Contains(expected, problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_webhook_is_a_post_that_comes_in()
    {
        var problems = await ProblemsAsync("""
            listeners: { egress: { address: 127.0.0.1:8081 } }
            apis:
              - name: x
                direction: egress
                hosts: [a.test]
                endpoints: [{ match: { path: /hook }, webhook: { signature: stripe, secret: 0123456789abcdef } }]
            """);
        Assert.Contains(problems, problem => problem.Contains("webhooks come in", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Contains("methods: [POST]", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("100/s")]
    [InlineData("60/10s")]
    [InlineData("5000/h")]
    [InlineData("60/minute")]
    [InlineData("10MB/s")]
    [InlineData("10 MB/s")]
    [InlineData("2000 points/m")]
    [InlineData("1/d")]
    public async Task Rates_are_written_as_people_say_them(string rate) =>
        Assert.Empty(await ProblemsAsync($"listeners: {{ egress: {{ address: 127.0.0.1:8080 }} }}\napis: [{{ name: x, direction: egress, hosts: [a.test], limits: [{{ rate: {rate} }}] }}]"));

    private static async Task<List<string>> Http3ProblemsAsync(string api)
    {
        var problems = await ProblemsAsync($$"""
            listeners:
              egress: { address: 127.0.0.1:8080 }
              ingress: { address: 127.0.0.1:8081 }
            apis: [{ name: x, {{api}} }]
            """);

        // Not of the configuration, but of this machine.
        problems.RemoveAll(static problem => problem.Contains("warning: this machine has no libmsquic", StringComparison.Ordinal));
        return problems;
    }

    internal static async Task<List<string>> ProblemsAsync(string yaml)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var loaded = ConfigurationLoader.LoadText(yaml, "t.yaml", name => name == "SHORT" ? "hunter2" : null);
        var (_, problems) = SnapshotCompiler.Compile(loaded, new CompilerServices(forwarder, TimeProvider.System));
        return [.. problems.OrderBy(problem => problem.Position.Line).ThenBy(problem => problem.Position.Column).Select(problem => problem.ToString())];
    }
}
