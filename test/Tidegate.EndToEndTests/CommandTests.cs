using System.CommandLine;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Commands as a user types them: what they print and how they exit.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly TestCertificates _directory = new();
    private readonly string _file;

    public CommandTests()
    {
        _file = Path.Combine(_directory.Directory, "tidegate.yaml");
        File.WriteAllText(_file, """
            listeners: { egress: { address: 127.0.0.1:0 }, ingress: { address: 127.0.0.1:0 } }
            consumers: [{ name: billing, tenant: acme, credentials: [{ api_key: billing-key-1 }] }]
            apis:
              - name: stripe
                direction: egress
                hosts: [api.stripe.com]
                base_path: /stripe
                authenticate: [api_key]
                access: { methods: [GET, POST] }
                credential: { header: Authorization, value: Bearer provider-secret }
                endpoints: [{ match: { path: /v1/search/* } }]
              - { name: orders, direction: ingress, path: /orders, upstream: { destinations: [http://127.0.0.1:1] } }
            """);
    }

    [Theory]
    [InlineData("ordered", "the first that answers; one that does not answer would be left out (observe)")]
    [InlineData("round_robin", "in turn; one that does not answer would be left out (observe)")]
    public async Task Explain_says_that_nobody_is_left_out_where_that_is_only_observed(string balance, string expected)
    {
        var file = Path.Combine(_directory.Directory, "observed.yaml");
        await File.WriteAllTextAsync(file, $$"""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis: [{ name: a, direction: egress, hosts: [a.test], upstream: { destinations: ["https://eu.a.test", "https://us.a.test"], balance: {{balance}}, ejection: { mode: observe } } }]
            """, TestContext.Current.CancellationToken);
        var (code, output, _) = await RunAsync(ExplainCommand.Create(), "GET", "https://a.test/x", "--config", file);

        Assert.Equal(0, code);
        Assert.Contains($"upstream   https://eu.a.test:443, https://us.a.test:443, {expected}", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_names_api_endpoint_every_policy_and_the_upstream_and_no_secret()
    {
        var (code, output, _) = await RunAsync(ExplainCommand.Create(), "GET", "https://API.stripe.com/v1/x/../search/a", "-H", "x-api-key: billing-key-1", "--config", _file);

        Assert.Equal(0, code);
        Assert.Contains("target     https://api.stripe.com/v1/search/a", output, StringComparison.Ordinal);
        Assert.Contains("endpoint /v1/search/*", output, StringComparison.Ordinal);
        Assert.Contains("consumer billing (tenant acme)", output, StringComparison.Ordinal);
        Assert.Contains("upstream   https://api.stripe.com:443", output, StringComparison.Ordinal);
        Assert.Contains("a CONNECT to this host is refused", output, StringComparison.Ordinal);
        Assert.DoesNotContain("provider-secret", output, StringComparison.Ordinal);
        Assert.DoesNotContain("billing-key-1", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_names_every_alternative_and_no_key()
    {
        var file = Path.Combine(_directory.Directory, "failover.yaml");
        await File.WriteAllTextAsync(file, """
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis:
              - name: a
                direction: egress
                hosts: [a.test]
                upstream: { destinations: [{ url: "https://eu.a.test", region: eu }, "https://us.a.test"], balance: ordered }
                credential: { header: X-Key, keys: [{ name: main, value: provider-secret-1, weight: 2 }, provider-secret-2] }
                limits: [{ rate: 5/s, per: credential }]
                retry: {}
                hedge: { after: 80ms }
                fallback: { body: "{}" }
            """, TestContext.Current.CancellationToken);
        var (code, output, _) = await RunAsync(ExplainCommand.Create(), "GET", "https://a.test/x", "--config", file);

        Assert.Equal(0, code);
        Assert.Contains("fallback · fallback: 200 with 2 bytes of application/json, marked Tidegate-Fallback, in place of no answer, 502, 503, 504, an open circuit", output, StringComparison.Ordinal);
        Assert.Contains("resilience · hedge: sent again when no answer has begun (80 ms), up to 1 more; budget", output, StringComparison.Ordinal);
        Assert.Contains("attempt · credential: sets X-Key from 2 keys (values hidden), in turn: main (weight 2) ready, 2 (weight 1) ready", output, StringComparison.Ordinal);
        Assert.Contains("upstream   https://eu.a.test:443 (eu), https://us.a.test:443, the first that answers", output, StringComparison.Ordinal);
        Assert.DoesNotContain("provider-secret", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_says_whose_answer_would_be_stored_and_what_is_never_looked_for()
    {
        var file = Path.Combine(_directory.Directory, "cache.yaml");
        await File.WriteAllTextAsync(file, """
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis: [{ name: a, direction: egress, hosts: [a.test], cache: { mode: standard } }]
            """, TestContext.Current.CancellationToken);

        Assert.Contains("cache · cache: key ", (await RunAsync(ExplainCommand.Create(), "GET", "https://a.test/x", "--config", file)).Output, StringComparison.Ordinal);
        Assert.Contains("(kept for calls with the same credential); nothing stored", (await RunAsync(ExplainCommand.Create(), "GET", "https://a.test/x", "-H", "Authorization: Bearer a", "--config", file)).Output, StringComparison.Ordinal);
        Assert.Contains("stored     with --live a running gateway says what it has of it", (await RunAsync(ExplainCommand.Create(), "GET", "https://a.test/x", "--config", file)).Output, StringComparison.Ordinal);
        Assert.Contains("bypassed: rerouting-field", (await RunAsync(ExplainCommand.Create(), "GET", "https://a.test/x", "-H", "X-Original-URL: /y", "--config", file)).Output, StringComparison.Ordinal);
        Assert.Contains("what is stored of this URL is invalid", (await RunAsync(ExplainCommand.Create(), "POST", "https://a.test/x", "--config", file)).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "https://api.stripe.com/", "", "401 credential_missing")]
    [InlineData("DELETE", "https://api.stripe.com/", "x-api-key: billing-key-1", "405 method_not_allowed")]
    [InlineData("GET", "https://unlisted.test/", "", "403 host_not_listed")]
    [InlineData("GET", "http://any.test/orders/7", "", "upstream   http://127.0.0.1:1")]
    public async Task Explain_says_what_the_caller_would_get(string method, string url, string field, string expected)
    {
        string[] arguments = [method, url, "--config", _file, .. field.Length == 0 ? Array.Empty<string>() : ["-H", field]];
        var (_, output, _) = await RunAsync(ExplainCommand.Create(), arguments);

        Assert.Contains(expected, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_says_that_an_upstream_is_called_over_http3()
    {
        var file = Path.Combine(_directory.Directory, "http3.yaml");
        await File.WriteAllTextAsync(file, """
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis: [{ name: a, direction: ingress, hosts: [a.test], upstream: { destinations: [https://b.test], protocol: http3 } }]
            """, TestContext.Current.CancellationToken);

        Assert.Contains("upstream   https://b.test:443 over HTTP/3", (await RunAsync(ExplainCommand.Create(), "GET", "https://a.test/x", "--config", file)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ca_creates_once_shows_and_tells_how_to_trust()
    {
        var created = await RunAsync(CaCommand.Create(), "create", "--directory", _directory.Directory);
        var again = await RunAsync(CaCommand.Create(), "create", "--directory", _directory.Directory);
        var trust = await RunAsync(CaCommand.Create(), "trust", "--directory", _directory.Directory);

        Assert.Equal((0, 1, 0), (created.Code, again.Code, trust.Code));
        Assert.Contains("already", again.Error, StringComparison.Ordinal);
        Assert.Contains("NODE_EXTRA_CA_CERTS=" + Path.Combine(_directory.Directory, "ca/ca.pem"), trust.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("PRIVATE KEY", created.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Dispose();

    private static async Task<(int Code, string Output, string Error)> RunAsync(Command command, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await command.Parse(arguments).InvokeAsync(new InvocationConfiguration { Output = output, Error = error }, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }
}
