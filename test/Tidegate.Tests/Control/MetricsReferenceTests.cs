using System.Reflection;
using System.Text.RegularExpressions;
using Tidegate.Control.Metrics;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests.Control;

/// <summary>docs/reference/metrics.md names what the gateway exports, all of it and nothing else.</summary>
public sealed partial class MetricsReferenceTests
{
    private static readonly MetricDescription[] Metrics =
    [
        .. from type in typeof(MetricDescription).Assembly.GetTypes()
           from field in type.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)
           where field.FieldType == typeof(MetricDescription)
           select (MetricDescription)field.GetValue(null)!,
    ];

    [Fact]
    public void Every_metric_is_in_the_reference_under_both_names()
    {
        var reference = Reference();
        Assert.True(Metrics.Length > 30, $"{Metrics.Length} metrics were found.");
        Assert.All(Metrics, metric => Assert.Contains($"| `{metric.Name}` | ", reference, StringComparison.Ordinal));
        Assert.All(Metrics, metric => Assert.Contains($"`{metric.OtlpName}`", reference, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_metric_in_the_reference_exists() =>
        Assert.Empty(Row().Matches(Reference()).Select(row => row.Groups[1].Value).Except(Metrics.Select(metric => metric.Name)));

    [Fact]
    public void Names_carry_their_unit_and_counters_end_in_total() => Assert.All(Metrics, metric =>
    {
        Assert.Equal(metric.Kind == MetricKind.Counter, metric.Name.EndsWith("_total", StringComparison.Ordinal));
        Assert.Equal(metric.Unit == "s", metric.Name.Contains("_seconds", StringComparison.Ordinal));
        Assert.Equal(metric.Unit == "By", metric.Name.Contains("_bytes", StringComparison.Ordinal));
    });

    [Theory]
    [InlineData("deploy/grafana/tidegate.json")]
    [InlineData("deploy/prometheus/tidegate-alerts.yaml")]
    public void What_is_shipped_for_looking_at_metrics_asks_for_metrics_that_exist(string file)
    {
        var asked = Asked().Matches(Read(file)).Select(match => match.Value).Distinct().ToList();

        Assert.True(asked.Count > 8, $"{file} asks for {asked.Count} metrics.");
        Assert.DoesNotContain(asked, name => !Metrics.Any(metric => name == metric.Name
            || (metric.Kind == MetricKind.Histogram && (name == metric.Name + "_bucket" || name == metric.Name + "_sum" || name == metric.Name + "_count"))));
    }

    [Fact]
    public void Panels_ask_for_the_chosen_jobs_and_a_sum_that_is_not_there_hides_no_other()
    {
        using var dashboard = System.Text.Json.JsonDocument.Parse(Read("deploy/grafana/tidegate.json"));
        var asked = dashboard.RootElement.GetProperty("panels").EnumerateArray()
            .SelectMany(panel => panel.TryGetProperty("targets", out var targets) ? targets.EnumerateArray().Select(target => target.GetProperty("expr").GetString()!).ToArray() : []).ToList();

        Assert.All(asked, expression => Assert.Equal(Asked().Count(expression), Selected().Count(expression)));

        // or binds less than +: what stands before it without parentheses is all that was summed.
        Assert.DoesNotContain(asked, expression => Unguarded().IsMatch(expression));
    }

    [Theory]
    [InlineData("deploy/grafana/tidegate.json")]
    [InlineData("deploy/prometheus/tidegate-alerts.yaml")]
    public void A_client_that_hangs_up_is_no_error_of_the_api(string file) =>
        Assert.All(Failed().Matches(Read(file)), selector => Assert.Contains("code!~", selector.Value, StringComparison.Ordinal));

    [Theory]
    [InlineData("deploy/grafana/tidegate.json")]
    [InlineData("deploy/prometheus/tidegate-alerts.yaml")]
    public void Whatever_a_client_can_do_to_its_own_exchange_is_left_out_by_its_code(string file)
    {
        var kinds = Directory.EnumerateFiles(Path.Combine(Repository(), "src"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(source => ClientFailure().Matches(File.ReadAllText(source))).Select(match => match.Groups[1].Value).Distinct().ToList();
        var codes = kinds.Select(kind => ((FailureKind)typeof(FailureKind).GetField(kind)!.GetValue(null)!).Code).ToList();
        var leftOut = LeftOut().Matches(Read(file)).Select(match => new Regex($"^(?:{match.Groups[1].Value})$")).ToList();

        Assert.Contains("client_aborted", codes);
        Assert.Contains("tunnel_silent", codes);
        Assert.NotEmpty(leftOut);
        Assert.All(leftOut, pattern => Assert.DoesNotContain(codes, code => !pattern.IsMatch(code)));

        // Silence within an answer is the upstream's, and stays an error.
        Assert.All(leftOut, pattern => Assert.DoesNotMatch(pattern, FailureKind.IdleTimeout.Code));
    }

    private static string Reference() => Read("docs/reference/metrics.md");

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository(), file));

    private static string Repository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }

    [GeneratedRegex("^\\| `((?:tidegate|process|dotnet)_[a-z_0-9]+)` \\|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("(?:tidegate|process|dotnet)_[a-z0-9_]+\\{[^}]*job=~\"\\$job\"[^}]*\\}")]
    private static partial Regex Selected();

    [GeneratedRegex("\\) \\+ sum\\(.*\\) or vector\\(0\\)$")]
    private static partial Regex Unguarded();

    [GeneratedRegex("\\{[^}]*outcome=.{0,2}failed[^}]*\\}")]
    private static partial Regex Failed();

    [GeneratedRegex("FailureSource\\.Client, FailureKind\\.([A-Za-z]+)")]
    private static partial Regex ClientFailure();

    [GeneratedRegex("code!~\\\\?\"([^\"\\\\]+)")]
    private static partial Regex LeftOut();

    [GeneratedRegex("(?:tidegate|process|dotnet)_[a-z0-9_]+")]
    private static partial Regex Asked();
}
