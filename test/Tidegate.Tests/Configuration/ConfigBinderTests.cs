using Tidegate.Configuration;
using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>From YAML to records: what is taken, and one exact problem for everything else.</summary>
public sealed class ConfigBinderTests
{
    [Fact]
    public void Records_lists_words_and_scalars_are_bound()
    {
        var config = Load("""
            state_directory: state
            listeners: { egress: { address: "127.0.0.1:1", intercept: true, limits: { head: 16KB, header_timeout: 1.5s, header_count: 7 } } }
            defaults: { egress: { unlisted_hosts: observe } }
            consumers: [{ name: a, credentials: [{ api_key: "${env:KEY}" }] }]
            apis:
              - { name: x, direction: egress, hosts: one.test, allow_encoded_slash: false }
              - { name: y, direction: ingress, hosts: [a.test, b.test], authenticate: [api_key], upstream: { destinations: ["http://h:1"], protocol: http1 } }
            """, out var problems)!;

        Assert.Empty(problems);
        Assert.Equal(Path.GetFullPath("dir/state"), config.StateDirectory);
        Assert.True(config.Listeners.Egress!.Intercept);
        Assert.Equal((16_384, TimeSpan.FromSeconds(1.5), 7), ((int)config.Listeners.Egress.Limits.Head!, config.Listeners.Egress.Limits.HeaderTimeout, config.Listeners.Egress.Limits.HeaderCount));
        Assert.Equal(UnlistedHosts.Observe, config.Defaults.Egress.UnlistedHosts);
        Assert.Equal("key-of-a", config.Consumers[0].Credentials[0].ApiKey.Value);
        Assert.Equal(["one.test"], config.Apis[0].Hosts);
        Assert.Equal(["a.test", "b.test"], config.Apis[1].Hosts);
        Assert.NotNull(config.Apis[1].Authenticate[0].ApiKey);
        Assert.Equal(UpstreamProtocolConfig.Http1, config.Apis[1].Upstream!.Protocol);
    }

    [Theory]
    [InlineData("apis: [{ name: a, direction: egress, hostz: [h] }]", "1:38 error: unknown key 'hostz', did you mean 'hosts'?")]
    [InlineData("apis: [{ name: a, direction: egress, xq: 1 }]", "1:38 error: unknown key 'xq'; known here: name, direction, hosts, ")]
    [InlineData("apis: [{ direction: egress }]", "1:8 error: the key 'name' is missing")]
    [InlineData("apis: [text]", "1:8 error: expected a mapping with the keys name, direction, ")]
    [InlineData("apis: [{ name: [a], direction: egress }]", "1:16 error: 'name' must be a single value")]
    [InlineData("apis: [{ name: { a: b }, direction: egress }]", "1:16 error: 'name' must be a single value")]
    [InlineData("apis: [{ name: , direction: egress }]", "'name' has no value; write one or remove the key")]
    [InlineData("apis: [{ name: a, direction: outward }]", "1:30 error: 'direction' is 'outward'; expected egress, ingress")]
    [InlineData("apis: [{ name: a, direction: ingres }]", "1:30 error: 'direction' is 'ingres'; expected egress, ingress (did you mean 'ingress'?)")]
    [InlineData("apis: [{ name: a, direction: egress, allow_encoded_slash: yes }]", "1:59 error: 'allow_encoded_slash' is 'yes'; expected true or false")]
    [InlineData("apis: [{ name: a, direction: egress, timeouts: { connect: soon } }]", "1:59 error: 'connect' is 'soon'; expected a duration such as 200ms, 5s, 2m or 1h")]
    [InlineData("apis: [{ name: a, direction: egress, max_request_body: huge }]", "1:56 error: 'max_request_body' is 'huge'; expected a size such as 512, 64KB or 10MB")]
    [InlineData("listeners: { ingress: { address: \"127.0.0.1:1\", limits: { header_count: 0 } } }", "1:73 error: 'header_count' is '0'; expected a whole number above 0")]
    [InlineData("listeners: { ingress: { address: \"127.0.0.1:1\", limits: { header_count: 99999999999 } } }", "1:73 error: 'header_count' is '99999999999'; expected a whole number above 0")]
    [InlineData("apis: [{ name: \"a\\0b\", direction: egress }]", "1:16 error: 'name' has a NUL character; remove it")]
    [InlineData("apis: [{ name: a, direction: ingress, authenticate: [magic] }]", "1:54 error: 'magic' is not known here; use api_key")]
    [InlineData("apis: [{ name: \"${env:GONE}\", direction: egress }]", "1:16 error: the environment variable 'GONE' is not set")]
    [InlineData("consumers: [{ name: a, credentials: [{ api_key: in-plain-text }] }]", "1:49 warning: 'api_key' is a secret in plain text; use ${secret:name}, ${env:NAME} or ${file:path}")]
    [InlineData("? [a, b]\n: 1", "1:3 error: a key must be a word, not a list, a mapping or an alias")]
    [InlineData("a: &x [1]\n? *x\n: 1", "2:3 error: a key must be a word, not a list, a mapping or an alias")]
    [InlineData("apis: []\n---\napis: []", "2:1 error: a file is one document; remove '---' and what follows, or put that into a file and include it")]
    [InlineData("apis: []\napis: []", "2:1 error: this is not YAML: Duplicate key apis")]
    public void What_does_not_fit_is_one_problem_at_its_place(string yaml, string expected)
    {
        Load(yaml, out var problems);

        Assert.Contains(expected, Assert.Single(problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{a: ", "}")]
    [InlineData("- ", "")]
    [InlineData("? ", "")]
    public void Nesting_without_end_is_a_problem_and_not_the_end_of_the_process(string open, string close)
    {
        var yaml = string.Concat(Enumerable.Repeat(open, 100_000)) + "x" + string.Concat(Enumerable.Repeat(close, 100_000));

        Assert.Null(Load(open == "- " || open == "? " ? yaml : "apis: " + yaml, out var problems));
        Assert.Matches("nested more than 64 levels deep|a key must be a word", Assert.Single(problems));
    }

    [Fact]
    public void Aliases_of_aliases_are_not_multiplied_out()
    {
        var yaml = "a: &a0 [x, x]\n" + string.Concat(Enumerable.Range(1, 60).Select(i => $"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n")) + "apis: *a60\n";

        Load(yaml, out var problems);

        Assert.InRange(problems.Count, 1, 100);
    }

    [Fact]
    public void A_wrong_value_is_shown_as_it_is_written_and_never_as_what_a_reference_stands_for()
    {
        Load("apis: [{ name: a, direction: \"${env:KEY}\", max_request_body: \"${env:KEY}\", timeouts: { connect: \"${env:KEY}\" } }]", out var problems);

        Assert.Equal(3, problems.Count);
        Assert.All(problems, problem => Assert.Contains("${env:KEY}", problem, StringComparison.Ordinal));
        Assert.DoesNotContain(problems, problem => problem.Contains("key-of-a", StringComparison.Ordinal));
    }

    [Fact]
    public void A_wrong_optional_value_leaves_its_default_so_that_the_rest_is_looked_at()
    {
        var config = Load("apis: [{ name: a, direction: egress, hosts: [h.test], max_request_body: huge, path: /x }]", out var problems)!;

        Assert.Single(problems);
        Assert.Equal(("/x", null), (config.Apis[0].Path, config.Apis[0].MaxRequestBody));
    }

    private static GatewayConfig? Load(string yaml, out IReadOnlyList<string> problems)
    {
        var loaded = ConfigurationLoader.LoadText(yaml, "dir/t.yaml", name => name == "KEY" ? "key-of-a" : null);
        problems = [.. loaded.Problems.Select(problem => problem.ToString())];
        return loaded.Config;
    }
}
