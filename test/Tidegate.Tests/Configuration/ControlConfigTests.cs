using System.Text;
using System.Text.Json;
using CsCheck;
using Tidegate.Configuration;
using Tidegate.Configuration.Comparison;
using Tidegate.Forwarding;
using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>The admin listener, recording and OTLP in the file, and how a configuration is shown.</summary>
public sealed class ControlConfigTests
{
    private const string Listener = "listeners: { egress: { address: 127.0.0.1:8080 } }\n";

    [Theory]
    [InlineData("address: 0.0.0.0:9900", "t.yaml:1:69 error: the admin listener is not on loopback; set listeners.admin.token or listeners.admin.sign_in, or use 127.0.0.1")]
    [InlineData("address: here", "t.yaml:1:69 error: 'here' is no address; write IP and port, for example 127.0.0.1:9900, or off")]
    [InlineData("address: 127.0.0.1:8080", "t.yaml:1:69 error: 127.0.0.1:8080 is the egress listener's; the admin listener needs an address of its own")]
    [InlineData("token: \"${env:SHORT}\"", "t.yaml:1:67 error: the token needs at least 16 characters; make one with: openssl rand -hex 32")]
    [InlineData("token: \"${env:SPACED}\"", "t.yaml:1:67 error: the token may only have visible ASCII characters, because it travels in a header field")]
    public async Task What_is_wrong_with_the_admin_listener_is_said(string admin, string expected) =>
        Assert.Equal(expected, Assert.Single((await CompileAsync($"listeners: {{ egress: {{ address: 127.0.0.1:8080 }}, admin: {{ {admin} }} }}")).Problems).ToString());

    [Theory]
    [InlineData("", "127.0.0.1:9900", false)]
    [InlineData(", admin: { address: 127.0.0.1:7000 }", "127.0.0.1:7000", false)]
    [InlineData(", admin: { token: \"${env:TOKEN}\" }", "127.0.0.1:9900", true)]
    [InlineData(", admin: { address: 0.0.0.0:9900, token: \"${env:TOKEN}\" }", "0.0.0.0:9900", true)]
    [InlineData(", admin: { address: off }", null, false)]
    public async Task The_admin_listener_is_on_loopback_unless_told_otherwise(string admin, string? address, bool hasToken)
    {
        var (compiled, _) = await CompileAsync($"listeners: {{ egress: {{ address: 127.0.0.1:8080 }}{admin} }}");

        Assert.Equal((address, hasToken), (compiled!.Control.Admin?.Address.ToString(), compiled.Control.Admin?.Token is not null));
    }

    [Theory]
    [InlineData("otlp: { endpoint: collector }", "t.yaml:2:32 error: 'collector' is no collector; write scheme, host and port, for example http://127.0.0.1:4317")]
    [InlineData("otlp: { endpoint: http://c:4317/v1/traces }", "t.yaml:2:32 error: 'http://c:4317/v1/traces' is no collector; write scheme, host and port, for example http://127.0.0.1:4317")]
    [InlineData("otlp: { endpoint: http://c:4317, sample: 10 }", "t.yaml:2:55 error: 'sample' is '10'; expected a share from 0% to 100%, such as 20%")]
    [InlineData("otlp: { endpoint: http://c:4317, sample: 101% }", "t.yaml:2:55 error: 'sample' is '101%'; expected a share from 0% to 100%, such as 20%")]
    [InlineData("otlp: { endpoint: http://c:4317, headers: { name: a b, value: \"${env:TOKEN}\" } }", "t.yaml:2:64 error: 'a b' is no name of a header field")]
    [InlineData("metrics: { max_series: 1000000 }", "t.yaml:2:37 error: 'max_series' is 1000000; the most is 20000")]
    [InlineData("recent_exchanges: 1000000", "t.yaml:2:32 error: 'recent_exchanges' is 1000000; the most is 100000")]
    public async Task What_is_wrong_with_recording_is_said(string recording, string expected) =>
        Assert.Equal(expected, Assert.Single((await CompileAsync(Listener + $"recording: {{ {recording} }}")).Problems).ToString());

    [Theory]
    [InlineData("http://c:4317", true)]
    [InlineData("http://c:4318", false)]
    [InlineData("https://c", true)]
    [InlineData("http://c:4318, protocol: grpc", true)]
    [InlineData("http://c:4317, protocol: http_protobuf", false)]
    public async Task The_collectors_protocol_goes_by_its_port_unless_told_otherwise(string endpoint, bool isGrpc)
    {
        var (compiled, problems) = await CompileAsync(Listener + $"recording: {{ otlp: {{ endpoint: {endpoint}, sample: 12.5% }} }}");

        Assert.Empty(problems);
        Assert.Equal((isGrpc, 0.125), (compiled!.Control.Otlp!.IsGrpc, compiled.Control.Otlp.Sample));
    }

    [Fact]
    public async Task A_shown_configuration_has_defaults_and_no_secret_even_where_a_reference_hid_one()
    {
        var (compiled, problems) = await CompileAsync("""
            listeners: { egress: { address: 127.0.0.1:8080 }, admin: { token: "${env:TOKEN}" } }
            consumers: [{ name: billing, tenant: "${env:TENANT}", credentials: [{ api_key: "${env:SECRET}" }, { api_key: "plain-secret" }] }]
            apis:
              - { name: stripe, direction: egress, hosts: [api.stripe.com, "${env:HOST}"], credential: { header: Authorization, value: "Bearer ${env:SECRET}" }, timeouts: { connect: 1500ms } }
            """);
        var text = Show(compiled!);
        using var shown = JsonDocument.Parse(text);
        var root = shown.RootElement;

        Assert.DoesNotContain("error", string.Join('\n', problems), StringComparison.Ordinal);
        foreach (var hidden in (string[])["very-secret-value", "plain-secret", "a-token-of-some-length", "hidden.test", "hidden tenant"])
        {
            Assert.DoesNotContain(hidden, text, StringComparison.Ordinal);
        }

        Assert.Equal("***", root.GetProperty("apis")[0].GetProperty("credential").GetProperty("value").GetString());
        Assert.Equal("***", root.GetProperty("listeners").GetProperty("admin").GetProperty("token").GetString());
        Assert.Equal("${env:HOST}", root.GetProperty("apis")[0].GetProperty("hosts")[1].GetString());
        Assert.Equal("${env:TENANT}", root.GetProperty("consumers")[0].GetProperty("tenant").GetString());
        Assert.Equal("1500ms", root.GetProperty("apis")[0].GetProperty("timeouts").GetProperty("connect").GetString());
        Assert.Equal("1m", root.GetProperty("apis")[0].GetProperty("timeouts").GetProperty("response_headers").GetString());
        Assert.Equal("refused", root.GetProperty("apis")[0].GetProperty("tunnel").GetString());
        Assert.Equal("32KB", root.GetProperty("listeners").GetProperty("egress").GetProperty("limits").GetProperty("head").GetString());
        Assert.Equal(10_000, root.GetProperty("listeners").GetProperty("egress").GetProperty("limits").GetProperty("connections").GetInt32());
        Assert.Equal("127.0.0.1:9900", root.GetProperty("listeners").GetProperty("admin").GetProperty("address").GetString());
        Assert.Equal(2_000, root.GetProperty("recording").GetProperty("metrics").GetProperty("max_series").GetInt32());
    }

    [Fact]
    public void A_shown_duration_is_the_one_that_was_written() => Gen.Long[1, 366L * 86_400_000].Sample(milliseconds =>
    {
        var duration = TimeSpan.FromMilliseconds(milliseconds);
        Assert.True(ScalarParser.TryDuration(ConfigText.Scaled(duration), out var parsed));
        Assert.Equal(duration, parsed);
    });

    private static string Show(CompiledConfiguration compiled)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            ConfigView.Write(json, compiled.Effective, compiled.Positions);
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static async Task<(CompiledConfiguration? Compiled, IReadOnlyList<ConfigProblem> Problems)> CompileAsync(string yaml)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var loaded = ConfigurationLoader.LoadText(yaml, "t.yaml", name => name switch
        {
            "SHORT" => "too-short",
            "SPACED" => "a token with some spaces",
            "TOKEN" => "a-token-of-some-length",
            "SECRET" => "very-secret-value",
            "HOST" => "hidden.test",
            "TENANT" => "hidden tenant",
            _ => null,
        });
        return SnapshotCompiler.Compile(loaded, new CompilerServices(forwarder, TimeProvider.System));
    }
}
