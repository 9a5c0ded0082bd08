using System.Text.Json;
using System.Text.RegularExpressions;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Recording;

public sealed partial class ExchangeJsonTests
{
    [Fact]
    public void The_reference_has_every_field_and_no_other()
    {
        using var written = Write(TestRecords.Refused with
        {
            Endpoint = "/orders/{id}",
            Query = "a=***",
            Destination = "http://10.0.0.1:5000",
            Region = "eu",
            Credential = "first",
            Retries = [new RetryNote("503", TimeSpan.FromMilliseconds(1), "")],
            Observed = [new PolicyDecision("access", "consumer_not_allowed")],
            Cache = CacheResult.StaleMiss,
            IsCacheOverridden = true,
            UnreadCosts = UnreadCosts.Request | UnreadCosts.Answer,
            Cost = new ExchangeCost(0.002m, "USD", 2, 1),
            Auth = AuthFields.Authorization | AuthFields.Key,
            CachePurges = 1,
            QueuePosition = 3,
            ProviderSignal = ProviderSignal.Quota,
            Trace = new TraceContext(1, 2, 3, 0, 1),
        });

        var documented = Row().Matches(Reference()).SelectMany(row => Name().Matches(row.Groups[1].Value)).Select(name => name.Groups[1].Value);
        Assert.Equal(documented.Order(StringComparer.Ordinal), written.RootElement.EnumerateObject().Select(field => field.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_description_of_the_admin_api_has_every_field_and_no_other()
    {
        using var description = JsonDocument.Parse(Tidegate.Control.Admin.OpenApiDocument.Content);
        var described = description.RootElement.GetProperty("components").GetProperty("schemas").GetProperty("Exchange").GetProperty("properties").EnumerateObject().Select(property => property.Name);

        Assert.Equal(Row().Matches(Reference()).SelectMany(row => Name().Matches(row.Groups[1].Value)).Select(name => name.Groups[1].Value).Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_has_no_value_is_left_out()
    {
        using var written = Write(TestRecords.Ingress with { Consumer = Consumer.Anonymous, Api = "" });

        Assert.All((string[])["api", "endpoint", "tenant", "environment", "query", "code", "reason", "trace_id", "span_id", "would_have_refused"], name => Assert.False(written.RootElement.TryGetProperty(name, out _), name));
    }

    private static JsonDocument Write(ExchangeRecord record)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            ExchangeJson.Write(json, record);
        }

        return JsonDocument.Parse(buffer.ToArray());
    }

    private static string Reference()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        return File.ReadAllText(Path.Combine(directory.FullName, "docs/reference/access-log.md"));
    }

    [GeneratedRegex("^\\| (`[^|]*) \\|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([a-z_]+)`")]
    private static partial Regex Name();
}
