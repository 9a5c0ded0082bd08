using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>What <c>check</c> says of routes that could never be chosen: where, and what to do.</summary>
public sealed class RouteConflictsTests
{
    [Theory]
    [InlineData("API.example.com", "api.EXAMPLE.com.")]
    [InlineData("bücher.example", "xn--bcher-kva.example")]
    [InlineData("BÜCHER.example", "bücher.example")]
    [InlineData("*.Bücher.example", "*.xn--bcher-kva.example")]
    [InlineData("::1", "[0:0::1]")]
    [InlineData("my_service.internal", "My_Service.internal")]
    public async Task Two_apis_with_one_host_in_two_spellings_conflict(string first, string second) =>
        Assert.Matches(
            "^t.yaml:4:4[0-9] error: 'a' already has host .+ with path '/'; this API would never be chosen for it. Give one of them a longer path, or remove the host$",
            Assert.Single(await CheckAsync($$"""{ name: a, direction: egress, hosts: ["{{first}}"] }""", $$"""{ name: b, direction: egress, hosts: ["{{second}}"] }""")));

    [Fact]
    public async Task A_host_that_an_api_lists_twice_is_its_own_conflict() =>
        Assert.Equal(
            "t.yaml:3:49 error: the host 'A.test' (that is a.test) is listed twice in this API; remove one",
            Assert.Single(await CheckAsync("{ name: a, direction: egress, hosts: [a.test, A.test] }")));

    [Theory]
    [InlineData("a.test", "/", "b.test", "/")]
    [InlineData("a.test", "/", "a.test", "/x")]
    [InlineData("a.test", "/x", "a.test", "/xx")]
    [InlineData("*.a.test", "/", "b.a.test", "/")]
    public async Task Apis_that_differ_in_host_or_path_do_not_conflict(string host, string path, string otherHost, string otherPath) =>
        Assert.Empty(await CheckAsync(
            $$"""{ name: a, direction: egress, hosts: ["{{host}}"], path: {{path}} }""",
            $$"""{ name: b, direction: egress, hosts: ["{{otherHost}}"], path: {{otherPath}} }"""));

    [Theory]
    [InlineData("my_service")]
    [InlineData("_dmarc.example.com")]
    [InlineData("*.my_zone.internal")]
    [InlineData("10.0.0.1")]
    [InlineData("[fd00::1]")]
    [InlineData("a-.test")]
    public async Task A_host_that_a_request_can_name_can_be_listed(string host) =>
        Assert.Empty(await CheckAsync($$"""{ name: a, direction: egress, hosts: ["{{host}}"] }"""));

    [Theory]
    [InlineData("2130706433")]
    [InlineData("0x7f.1")]
    [InlineData("127.1")]
    [InlineData("*.127.0.0.1")]
    [InlineData("a.test:443")]
    [InlineData("[::1]:443")]
    [InlineData("a..test")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("*")]
    [InlineData("a.*.test")]
    [InlineData("user@a.test")]
    [InlineData("")]
    public async Task A_host_that_no_request_can_name_is_an_error(string host) =>
        Assert.Equal(
            $"t.yaml:3:41 error: '{host}' is no host; write a name without scheme, port and path, or *.example.com",
            Assert.Single(await CheckAsync($$"""{ name: a, direction: egress, hosts: ["{{host}}"] }""")));

    [Theory]
    [InlineData("/caf\u00e9", "write '/caf%C3%A9'")]
    [InlineData("/a b", "write '/a%20b'")]
    [InlineData("/%61", "write '/a'")]
    [InlineData("/%c3%a9", "write '/%C3%A9'")]
    [InlineData("/a/./b", "write '/a/b'")]
    [InlineData("/a/../b", "write '/b'")]
    [InlineData("/a//b", "write '/a/b'")]
    [InlineData("/{id}/./{line}", "write '/{id}/{line}'")]
    [InlineData("/a\"b", "write '/a%22b'")]
    [InlineData("/a?b=c", "queries are not matched; remove it")]
    [InlineData("/a#b", "requests with it are refused")]
    [InlineData("/a\\b", "requests with it are refused")]
    [InlineData("/%00", "requests with it are refused")]
    [InlineData("/%zz", "requests with it are refused")]
    [InlineData("/../a", "requests with it are refused")]
    [InlineData("/a%2Fb", "set the API's allow_encoded_slash, or write '/'")]
    [InlineData("a", "must start with '/'")]
    [InlineData("/**/a", "it can only be the last segment; write '*' for one segment")]
    [InlineData("/a*", "'*' stands for a whole segment, not for a part of 'a*'")]
    [InlineData("/a**", "'*' stands for a whole segment")]
    [InlineData("/{}", "a parameter is a whole segment with a name")]
    [InlineData("/{id", "a parameter is a whole segment with a name")]
    [InlineData("/v{n}", "a parameter is a whole segment with a name")]
    [InlineData("/{a}{b}", "a parameter is a whole segment with a name")]
    public async Task An_endpoint_that_no_request_can_have_is_an_error_that_says_how_to_write_it(string path, string advice)
    {
        var problem = Assert.Single(await CheckAsync($$"""{ name: a, direction: ingress, upstream: { destinations: ["http://h:1"] }, endpoints: [{ match: { path: '{{path}}' } }] }"""));

        Assert.StartsWith($"t.yaml:3:107 error: '{path}' ", problem, StringComparison.Ordinal);
        Assert.Contains(advice, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/a/")]
    [InlineData("/{id}/*/**")]
    [InlineData("/**")]
    [InlineData("/.well-known/x;v=1/~a!$&'()+,=:@")]
    [InlineData("/caf%C3%A9")]
    public async Task An_endpoint_in_canonical_form_is_none(string path) =>
        Assert.Empty(await CheckAsync($$"""{ name: a, direction: ingress, upstream: { destinations: ["http://h:1"] }, endpoints: [{ match: { path: "{{path}}" } }] }"""));

    [Theory]
    [InlineData("path: /a/*", "'/a/*' has a pattern, but this path is a prefix")]
    [InlineData("path: /%61", "write '/a'")]
    [InlineData("base_path: /", "'/' must not end with '/' and must not be empty; write for example /a")]
    [InlineData("base_path: /a/", "must not end with '/'")]
    [InlineData("base_path: /caf\u00e9", "write '/caf%C3%A9'")]
    public async Task An_apis_own_paths_are_held_to_the_same_rules(string key, string advice) =>
        Assert.Contains(advice, Assert.Single(await CheckAsync($$"""{ name: a, direction: egress, hosts: [a.test], {{key}} }""")), StringComparison.Ordinal);

    [Theory]
    [InlineData("/{id}", "/*", true)]
    [InlineData("/{id}/**", "/{key}/**", true)]
    [InlineData("/a/**", "/a", false)]
    [InlineData("/a/", "/a", false)]
    public async Task Endpoints_that_match_the_same_requests_conflict_whatever_their_parameters_are_called(string first, string second, bool conflicts)
    {
        var problems = await CheckAsync($$"""{ name: a, direction: egress, hosts: [a.test], endpoints: [{ match: { path: "{{first}}" } }, { match: { path: "{{second}}" } }] }""");

        Assert.Equal(conflicts ? [$"the endpoint '{first}' already has this path with method any; this one would never be chosen. Remove one, or give it other methods"] : [], problems.Select(problem => problem[(problem.IndexOf("error: ", StringComparison.Ordinal) + 7)..]));
    }

    [Fact]
    public async Task Two_apis_cannot_share_a_base_path() =>
        Assert.Contains("'a' already has the base path '/x'; choose another", Assert.Single(await CheckAsync(
            "{ name: a, direction: egress, hosts: [a.test], base_path: /x }",
            "{ name: b, direction: egress, hosts: [b.test], base_path: /x }")), StringComparison.Ordinal);

    private static Task<List<string>> CheckAsync(params string[] apis) => CheckTests.ProblemsAsync(string.Join('\n',
        (string[])["listeners: { egress: { address: \"127.0.0.1:0\" }, ingress: { address: \"127.0.0.1:0\" } }", "apis:", .. apis.Select(api => "- " + api)]));
}
