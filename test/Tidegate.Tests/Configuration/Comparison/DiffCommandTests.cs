using System.CommandLine;
using Tidegate.Host.Commands;
using Xunit;

namespace Tidegate.Tests.Configuration.Comparison;

/// <summary><c>diff</c> as a user sees it.</summary>
public sealed class DiffCommandTests : IDisposable
{
    private const string Old = """
        listeners: { egress: { address: 127.0.0.1:8080, limits: { head: 32KB } } }
        consumers:
          - { name: billing, tenant: acme, credentials: [{ api_key: billing-key-1 }] }
          - { name: reports, credentials: [{ api_key: reports-key-1 }] }
        apis:
          - name: stripe
            direction: egress
            hosts: [api.stripe.com]
            base_path: /stripe
            authenticate: [api_key]
            access: { consumers: [billing], methods: [GET, POST] }
            credential: { header: Authorization, value: Bearer provider-key-1 }
            timeouts: { total: 90s }
            endpoints: [{ match: { path: "/v1/search/*" }, access: { methods: [GET] } }]
          - { name: everything, direction: egress, hosts: ["*.example.com"] }
        """;

    private const string New = """
        listeners:
          egress: { address: 127.0.0.1:8088, limits: { head: 64KB } }
          ingress: { address: 127.0.0.1:8081 }
        defaults: { egress: { unlisted_hosts: allow } }
        consumers:
          - { name: billing, tenant: acme-corp, credentials: [{ api_key: billing-key-2 }] }
        apis:
          - { name: narrow, direction: egress, hosts: [a.example.com] }
          - { name: orders, direction: ingress, upstream: { destinations: [http://127.0.0.1:1] } }
          - name: stripe
            direction: egress
            hosts: [api.stripe.com]
            base_path: /payments
            access: { methods: [GET, DELETE] }
            credential: { header: Authorization, value: Bearer provider-key-2 }
            endpoints: [{ match: { path: "/v1/search/*", methods: [GET] } }]
          - { name: everything, direction: egress, hosts: ["*.example.com", "a.b.example.com"] }
        """;

    private const string Expected = """
        ~ listeners.egress.address: 127.0.0.1:8080 → 127.0.0.1:8088
            Needs a restart: a reload leaves it as it was.
        ~ listeners.egress.limits.head: 32KB → 64KB
        + listeners.ingress: { address: 127.0.0.1:8081 }
            Needs a restart: a reload leaves it as it was.
        ~ defaults.egress.unlisted_hosts: deny → allow
            Calls to hosts that no API lists will pass.
        ~ consumers[billing].tenant: acme → acme-corp
            Records and metrics of its calls change with it.
        ~ consumers[billing].credentials[0].api_key: changed (a secret, not shown)
            Callers with the old key are no longer known.
        - consumers[reports]: { name: reports, credentials: [{ api_key: *** }] }
            Its keys are no longer known: 401 where an API needs a key, anonymous elsewhere.
        ~ apis[stripe].base_path: /stripe → /payments
        - apis[stripe].authenticate[0]: { api_key: {} }
            Callers without a credential will pass, as anonymous.
        ~ apis[stripe].access.consumers: - billing
            Now every caller may.
        ~ apis[stripe].access.methods: + DELETE, - POST
        ~ apis[stripe].credential.value: changed (a secret, not shown)
        ~ apis[stripe].timeouts.total: 90s → not set
        - apis[stripe].endpoints[/v1/search/*]: { match: { path: /v1/search/* }, access: { methods: [GET] } }
        + apis[stripe].endpoints[GET /v1/search/*]: { match: { path: /v1/search/*, methods: [GET] } }
        ~ apis[everything].hosts: + a.b.example.com
        + apis[narrow]: { name: narrow, direction: egress, hosts: [a.example.com] }
            It asks for no credential: everybody who reaches the listener may call it.
        + apis[orders]: { name: orders, direction: ingress, upstream: { destinations: [http://127.0.0.1:1] } }
            It asks for no credential: everybody who reaches the listener may call it.
        > GET /stripe/ (base URL): stripe → 404 no_base_path
        > GET https://api.stripe.com/v1/search/any: stripe, endpoint /v1/search/* → stripe, endpoint GET /v1/search/*
        > GET https://a.example.com/: everything → narrow
        > GET /payments/ (base URL): 404 no_base_path → stripe
        18 differences, 4 requests (>) answered by another API or endpoint; 2 need a restart.

        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-test-");

    [Fact]
    public async Task Everything_that_changes_is_listed_with_what_it_means_and_no_secret()
    {
        var (code, output, _) = await DiffAsync(Old, New);

        Assert.Equal(Expected, output);
        Assert.Equal(ExitCode.Differences, code);
    }

    [Fact]
    public async Task Two_files_that_say_the_same_differ_in_nothing()
    {
        var rearranged = """
            # another order, another way to write the same
            apis:
              - { name: everything, hosts: "*.example.com", direction: egress }
              - name: stripe
                direction: egress
                hosts: api.stripe.com
                base_path: /stripe
                authenticate: { api_key: {} }
                access: { consumers: billing, methods: [GET, POST] }
                credential: { header: Authorization, value: Bearer provider-key-1 }
                timeouts: { total: 1.5m }
                endpoints: [{ match: { path: "/v1/search/*" }, access: { methods: [GET] } }]
            consumers:
              - { name: reports, credentials: [{ api_key: reports-key-1 }] }
              - { name: billing, tenant: acme, credentials: [{ api_key: billing-key-1 }] }
            listeners: { egress: { address: 127.0.0.1:8080, limits: { head: 32768 } } }
            """;

        Assert.Equal((ExitCode.Success, "No difference.\n"), await DiffAsync(Old, rearranged) is var (code, output, _) ? (code, output) : default);
    }

    [Fact]
    public async Task To_enforce_what_was_observed_of_destinations_means_that_they_are_left_out_and_back()
    {
        var observed = """
            listeners: { egress: { address: 127.0.0.1:8080 } }
            apis: [{ name: a, direction: egress, hosts: [a.test], upstream: { destinations: [http://a:1, http://b:1], ejection: { mode: observe } } }]
            """;
        var enforced = observed.Replace("observe", "enforce", StringComparison.Ordinal);

        var (_, output, _) = await DiffAsync(observed, enforced);
        Assert.Contains("apis[a].upstream.ejection.mode: observe → enforce\n    A destination that does not answer will be left out for a while", output, StringComparison.Ordinal);
        (_, output, _) = await DiffAsync(enforced, observed);
        Assert.Contains("Calls will go on to a destination that does not answer when its turn comes.", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Both_files_are_checked_first()
    {
        var (code, output, error) = await DiffAsync(Old.Replace("head:", "haed:", StringComparison.Ordinal), "apis: [{ name: x }]");

        Assert.Equal((ExitCode.Configuration, ""), (code, output));
        Assert.Contains("old.yaml:1:59 error: unknown key 'haed', did you mean 'head'?", error, StringComparison.Ordinal);
        Assert.Contains("new.yaml:1:8 error: the key 'direction' is missing", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_comes_from_a_secret_reference_is_masked_whatever_it_is()
    {
        var yaml = "listeners: { egress: { address: 127.0.0.1:8080 } }\nconsumers: [{ name: a, tenant: \"${file:tenant}\", credentials: [{ api_key: \"${file:key}\" }] }]\n";
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "tenant"), "acme", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "key"), "the-key-itself", TestContext.Current.CancellationToken);
        Environment.SetEnvironmentVariable("TIDEGATE_SECRET_DIFF_TEST", "a-secret-tenant");

        var (_, output, _) = await DiffAsync(yaml, yaml.Replace("${file:tenant}", "${secret:diff_test}", StringComparison.Ordinal));

        Assert.Contains("consumers[a].tenant: changed (a secret, not shown)", output, StringComparison.Ordinal);
        Assert.DoesNotContain("a-secret-tenant", output, StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private async Task<(int Code, string Output, string Error)> DiffAsync(string old, string @new)
    {
        var (oldFile, newFile) = (Path.Combine(_directory.FullName, "old.yaml"), Path.Combine(_directory.FullName, "new.yaml"));
        await File.WriteAllTextAsync(oldFile, old, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(newFile, @new, TestContext.Current.CancellationToken);
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await DiffCommand.Create().Parse([oldFile, newFile]).InvokeAsync(new InvocationConfiguration { Output = output, Error = error }, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }
}
