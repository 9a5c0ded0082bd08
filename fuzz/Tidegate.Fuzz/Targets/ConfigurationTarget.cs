using System.Text;
using Tidegate.Configuration;
using Tidegate.Forwarding;

namespace Tidegate.Fuzz.Targets;

/// <summary>A configuration: compiled, or refused with problems that have a place in it; and no secret is ever told.</summary>
internal sealed class ConfigurationTarget : FuzzTarget
{
    private const string Secret = "kept-from-everybody-42";

    private static readonly CompilerServices Services = new(new Forwarder(TimeProvider.System), TimeProvider.System);

    public override string Name => "configuration";

    public override IReadOnlyList<byte[]> Seeds { get; } = Latin1(
        """
        listeners:
          egress: { address: 127.0.0.1:8080 }
          ingress: { address: 127.0.0.1:8081, trusted_proxies: [10.0.0.0/8], limits: { head: 16KB, header_timeout: 5s } }
          admin: { address: 127.0.0.1:9900 }
        defaults: { egress: { unlisted_hosts: observe } }
        consumers:
          - { name: billing, tenant: acme, environment: production, credentials: [{ api_key: "${env:KEY}" }] }
        apis:
          - name: stripe
            direction: egress
            hosts: [api.stripe.com, "*.stripe.com"]
            base_path: /stripe
            access: { consumers: [billing], methods: [GET, POST] }
            credential: { header: Authorization, value: "Bearer ${secret:stripe}" }
            timeouts: { connect: 5s, total: 1.5m }
            endpoints:
              - { name: search, match: { path: "/v1/{kind}/**", methods: [GET] }, timeouts: { response_headers: 120s } }
          - name: orders
            direction: ingress
            hosts: [api.example.com]
            path: /orders
            max_request_body: 10MB
            authenticate: [api_key]
            upstream: { destinations: ["http://127.0.0.1:5000"], protocol: http1 }
        recording: { access_log: { path: stdout } }
        """,
        "listeners: { ingress: { address: \"[::1]:0\", limits: {} } }\napis: [{ name: a, direction: ingress, upstream: { destinations: [\"https://a.test\"], tls: { verify: false } } }]\n");

    public override IReadOnlyList<byte[]> Tokens { get; } = Latin1(
        "\n", "\n  ", "- ", ": ", "{ ", " }", "[", "]", ", ", "\"", "'", "|", ">", "&a ", "*a", "? ", "!!int ", "!x ", "---\n", "...\n", "%YAML 1.2\n", "#", "\\0", "\\x00", "\t", "null", "~", "true", "0", "-1", "1e9", "99999999999999999999", "200ms", "10MB", "20%",
        "${env:KEY}", "${secret:x}", "${file:gone}", "${", "}", "<<: ", "apis", "hosts", "listeners", "name", "\u00e9", "\ufeff", "/**", "/{id}", "*.", "::1", "[[[[[[[[", "{a: {a: {a: ");

    public override void Check(byte[] input, Random random)
    {
        var text = Encoding.UTF8.GetString(input);
        var loaded = ConfigurationLoader.LoadText(text, "/nonexistent/fuzz.yaml", name => name is "KEY" or "TIDEGATE_SECRET_STRIPE" ? Secret : null);
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, Services);
        Holds(compiled is not null || problems.Any(problem => problem.Severity == ConfigSeverity.Error), "it is refused, and nobody says why");
        Holds(compiled is null || problems.All(problem => problem.Severity == ConfigSeverity.Warning), "it is accepted with an error");
        var lines = text.Count(letter => letter is '\n' or '\r' or '\u0085' or '\u2028' or '\u2029') + 2;
        foreach (var problem in problems)
        {
            Holds(problem.Position.Line >= 1 && problem.Position.Column >= 1 && problem.Position.Line <= lines, $"'{problem}' has no place in it");
            Holds(!problem.Message.Contains(Secret, StringComparison.Ordinal), $"'{problem}' tells a secret");
        }
    }
}
