using System.Text;
using Tidegate.Benchmarks.Allocations;
using Tidegate.Configuration;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits.Signals;
using Xunit;

namespace Tidegate.Tests.Policies.Limits.Signals;

/// <summary>What answers of every dialect say. A window is written as name: what is left, of how much, seconds to the reset.</summary>
public sealed class SignalReaderTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly long NowSeconds = Now.ToUnixTimeSeconds();

    [Theory]
    [InlineData("RateLimit: \"default\";r=50;t=30", "default: 50 of ? in 30")]
    [InlineData("RateLimit: \"default\";r=50;t=30|RateLimit-Policy: \"default\";q=100;w=60", "default: 50 of 100 in 30")]
    [InlineData("RateLimit-Policy: \"burst\";q=100;w=60,\"daily\";q=1000;w=86400|RateLimit: \"burst\";r=0;t=5, \"daily\";r=900;t=40000", "burst: 0 of 100 in 5, daily: 900 of 1000 in 40000")]
    [InlineData("RateLimit: \"a;b,c\";r=1;t=2", "a;b,c: 1 of ? in 2")]
    [InlineData("RateLimit: default;r=4", "")]
    [InlineData("RateLimit: default;r=4|RateLimit-Policy: default;q=9;w=7", "default: 4 of 9 in 7")]
    [InlineData("RateLimit: limit=10, remaining=9, reset=4", "ratelimit: 9 of 10 in 4")]
    [InlineData("RateLimit-Limit: 10|RateLimit-Remaining: 9|RateLimit-Reset: 4", "ratelimit: 9 of 10 in 4")]
    [InlineData("RateLimit-Limit: 10, 10;w=1, 1000;w=3600|RateLimit-Remaining: 9|RateLimit-Reset: 1", "ratelimit: 9 of 10 in 1")]
    [InlineData("RateLimit-Limit: 100|RateLimit-Remaining: 9|RateLimit-Policy: 100;w=60", "ratelimit: 9 of 100 in 60")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: 30", "x-ratelimit: 56 of 60 in 30")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: {epoch+30}", "x-ratelimit: 56 of 60 in 30")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: {epoch+30}|Date: Sun, 01 Mar 2026 11:59:50 GMT", "x-ratelimit: 56 of 60 in 40")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: {epoch+30}500", "x-ratelimit: 56 of 60 in 30.5")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: 1m30s", "x-ratelimit: 56 of 60 in 90")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: Sun, 01 Mar 2026 12:00:30 GMT", "x-ratelimit: 56 of 60 in 30")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: 2026-03-01T12:00:30.25Z", "x-ratelimit: 56 of 60 in 30.25")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: 2026-03-01T13:00:30+01:00", "x-ratelimit: 56 of 60 in 30")]
    [InlineData("X-Rate-Limit-Limit: 60|X-Rate-Limit-Remaining: 56|X-Rate-Limit-Reset: 12", "x-ratelimit: 56 of 60 in 12")]
    [InlineData("X-RateLimit-Remaining: 5|X-RateLimit-Remaining: 3|X-RateLimit-Reset: 12", "x-ratelimit: 3 of ? in 12")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Used: 58|X-RateLimit-Reset: 12", "x-ratelimit: 2 of 60 in 12")]
    [InlineData("x-ratelimit-limit-requests: 60|x-ratelimit-remaining-requests: 59|x-ratelimit-reset-requests: 6m0s|x-ratelimit-limit-tokens: 150000|x-ratelimit-remaining-tokens: 149984|x-ratelimit-reset-tokens: 6ms", "requests: 59 of 60 in 360, tokens: 149984 of 150000 in 0.006")]
    [InlineData("X-RateLimit-Limit: 60|X-RateLimit-Remaining: 56|X-RateLimit-Reset: 30|Age: 4", "")]
    [InlineData("Content-Type: text/html|Server: x", "")]
    public void Common_fields_are_read(string head, string expected) => Assert.Equal(expected, Windows(SignalDialect.Common, head));

    [Theory]
    [InlineData("0")]
    [InlineData("007")]
    [InlineData("59")]
    [InlineData("999999999")]
    [InlineData("1000000000")]
    [InlineData("1772366430")]
    [InlineData("999999999999")]
    [InlineData("1000000000000")]
    [InlineData("1772366430500")]
    [InlineData("999999999999999")]
    [InlineData("1000000000000000")]
    [InlineData("1000000000000001")]
    [InlineData("999999999999999999")]
    [InlineData("1000000000000000000")]
    [InlineData("9999999999999999999999999")]
    public void A_whole_number_means_what_it_means_with_a_fraction_of_nothing(string digits)
    {
        foreach (var head in (string[])["X-RateLimit-Limit: #|X-RateLimit-Remaining: #|X-RateLimit-Reset: 7", "X-RateLimit-Limit: 9|X-RateLimit-Remaining: 8|X-RateLimit-Reset: #", "X-RateLimit-Limit: 9|X-RateLimit-Remaining: 8|X-RateLimit-Reset: #m#s",
            "X-RateLimit-Limit: 9|X-RateLimit-Remaining: 8|X-RateLimit-Reset: #ms"])
        {
            Assert.Equal(Windows(SignalDialect.Common, head.Replace("#", digits + ".0", StringComparison.Ordinal)), Windows(SignalDialect.Common, head.Replace("#", digits, StringComparison.Ordinal)));
        }

        foreach (var unit in (string[])["", "ms", "s", "m", "h", "d"])
        {
            foreach (var form in (ResetForm[])[ResetForm.Seconds, ResetForm.Milliseconds])
            {
                var isRead = SignalTime.TryRead(Encoding.UTF8.GetBytes(digits + unit), form, Now, out var ticks, out var isCapped);
                Assert.Equal((SignalTime.TryRead(Encoding.UTF8.GetBytes(digits + ".0" + unit), form, Now, out var ticksOfDecimal, out var isCappedDecimal), ticksOfDecimal, isCappedDecimal), (isRead, ticks, isCapped));
            }
        }
    }

    [Theory]
    [InlineData("shopify", "X-Shopify-Shop-Api-Call-Limit: 32/40", "shop: 8 of 40 in 20 refills")]
    [InlineData("salesforce", "Sforce-Limit-Info: api-usage=25/5000", "api-usage: 4975 of 5000 in 86400 refills")]
    [InlineData("salesforce", "Sforce-Limit-Info: api-usage=25/5000; per-app-api-usage=17/250(appName=sample)", "api-usage: 4975 of 5000 in 86400 refills")]
    [InlineData("hubspot", "X-HubSpot-RateLimit-Max: 100|X-HubSpot-RateLimit-Remaining: 7|X-HubSpot-RateLimit-Interval-Milliseconds: 10000", "interval: 7 of 100 in 10")]
    [InlineData("discord", "X-RateLimit-Limit: 5|X-RateLimit-Remaining: 0|X-RateLimit-Reset: 1470173023|X-RateLimit-Reset-After: 1.25|X-RateLimit-Bucket: abcd1234", "x-ratelimit: 0 of 5 in 1.25")]
    [InlineData("anthropic", "anthropic-ratelimit-input-tokens-limit: 1000|anthropic-ratelimit-input-tokens-remaining: 10|anthropic-ratelimit-input-tokens-reset: 2026-03-01T12:00:59Z", "input-tokens: 10 of 1000 in 59 refills")]
    [InlineData("groq", "x-ratelimit-limit-requests: 14400|x-ratelimit-remaining-requests: 14370|x-ratelimit-reset-requests: 2m59.56s", "requests: 14370 of 14400 in 179.56 refills")]
    [InlineData("zendesk", "X-Rate-Limit: 700|X-Rate-Limit-Remaining: 699|ratelimit-limit: 700|ratelimit-remaining: 698|ratelimit-reset: 41", "account: 698 of 700 in 41")]
    [InlineData("github", "x-ratelimit-limit: 5000|x-ratelimit-remaining: 4999|x-ratelimit-reset: {epoch+3599}|x-ratelimit-used: 1|x-ratelimit-resource: core", "x-ratelimit: 4999 of 5000 in 3599")]
    [InlineData("cloudflare", "Ratelimit: \"default\";r=50;t=30|Ratelimit-Policy: \"default\";q=1200;w=300", "default: 50 of 1200 in 30")]
    public void Every_provider_is_understood(string provider, string head, string expected)
    {
        var text = Windows(Dialect(provider), head);
        Assert.Equal(expected.Replace(" refills", "", StringComparison.Ordinal), text);
        Read(Dialect(provider), 200, head, "", out var reading);
        Assert.Equal(expected.EndsWith("refills", StringComparison.Ordinal), reading.Windows[0].Refills);
    }

    [Theory]
    [InlineData("", 200, "Retry-After: 5", "", ProviderSignal.None)]
    [InlineData("", 429, "", "", ProviderSignal.Throttle)]
    [InlineData("", 503, "Retry-After: 5", "", ProviderSignal.Overload)]
    [InlineData("", 403, "", "", ProviderSignal.None)]
    [InlineData("github", 403, "Retry-After: 60|x-ratelimit-remaining: 4000", "", ProviderSignal.Throttle)]
    [InlineData("github", 403, "x-ratelimit-remaining: 0|x-ratelimit-reset: {epoch+90}", "", ProviderSignal.Throttle)]
    [InlineData("anthropic", 529, "", "", ProviderSignal.Overload)]
    [InlineData("anthropic", 429, "", """{"type":"error","error":{"type":"rate_limit_error","details":{"error_code":"enforced_spend_limit_reached"}}}""", ProviderSignal.Billing)]
    [InlineData("openai", 429, "", """{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}""", ProviderSignal.Billing)]
    [InlineData("openai", 429, "", """{"error":{"message":"Rate limit reached: insufficient_quota is not it","type":"requests","code":"rate_limit_exceeded"}}""", ProviderSignal.Throttle)]
    [InlineData("openai", 429, "", """{"error":{"type":"billing","code":"project_spend_limit_exceeded"}}""", ProviderSignal.Billing)]
    [InlineData("google", 403, "", """{"error":{"errors":[{"reason":"userRateLimitExceeded"}]}}""", ProviderSignal.Throttle)]
    [InlineData("openai", 400, "", """{"error":{"code":"insufficient_quota"}}""", ProviderSignal.None)]
    [InlineData("shopify", 430, "", "", ProviderSignal.Throttle)]
    [InlineData("twilio", 429, "", """{"code":20429,"message":"Too Many Requests","status":429}""", ProviderSignal.Concurrency)]
    [InlineData("stripe", 429, "", """{"error":{"code":"lock_timeout","type":"invalid_request_error"}}""", ProviderSignal.None)]
    [InlineData("stripe", 429, "", """{"error":{"code":"rate_limit"}""", ProviderSignal.Throttle)]
    [InlineData("salesforce", 403, "", """[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]""", ProviderSignal.Quota)]
    [InlineData("google", 403, "", """{"error":{"code":403,"errors":[{"domain":"usageLimits","reason":"dailyLimitExceeded"}]}}""", ProviderSignal.Quota)]
    [InlineData("openai", 429, "", "{\"error\": not json at all", ProviderSignal.Throttle)]
    public void Refusals_are_told_apart(string provider, int status, string head, string content, ProviderSignal expected)
    {
        Read(provider.Length == 0 ? SignalDialect.Common : Dialect(provider), status, head, content, out var reading);
        Assert.Equal(expected, reading.Kind);
    }

    [Fact]
    public void Googles_retry_delay_is_found_in_the_content()
    {
        Read(Dialect("google"), 429, "Content-Type: application/json", """
            {"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[
              {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinute"}]},
              {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"38.5s"}]}}
            """, out var reading);
        Assert.Equal((ProviderSignal.Throttle, true, 38.5), (reading.Kind, reading.HasRetryAfter, reading.RetryAfter.TotalSeconds));
    }

    [Fact]
    public void Buckets_are_named_and_refusals_of_everything_too()
    {
        Read(Dialect("discord"), 429, "X-RateLimit-Bucket: abcd|X-RateLimit-Global: true|Retry-After: 2", "", out var global);
        Read(Dialect("discord"), 429, "X-RateLimit-Bucket: abcd|X-RateLimit-Scope: shared|Retry-After: 2", "", out var one);
        Read(Dialect("discord"), 200, "X-RateLimit-Bucket: other", "", out var other);
        Assert.True(global.IsGlobal && !one.IsGlobal);
        Assert.True(global.Bucket == one.Bucket && one.Bucket != other.Bucket && other.Bucket != 0);
    }

    [Theory]
    [InlineData("X-RateLimit-Remaining: -1|X-RateLimit-Reset: 10")]
    [InlineData("X-RateLimit-Remaining: many|X-RateLimit-Reset: 10")]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: -10")]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: 31557600")]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: 99999999999999999999999999999999")]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: 2126-03-01T00:00:00Z")]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: 10y")]
    [InlineData("x-ratelimit-limit-tokens: -1|x-ratelimit-remaining-tokens: -1|x-ratelimit-reset-tokens: 0")]
    [InlineData("RateLimit: \"a\";r=-1;t=5")]
    [InlineData("RateLimit: \"a\";r=0;t=99999999999999999999")]
    [InlineData("RateLimit: \"a\";r=0;t=315576000")]
    [InlineData("RateLimit: \"a;r=0;t=5")]
    [InlineData("RateLimit: ,,;;==")]
    public void What_cannot_be_meant_is_counted_and_holds_nobody(string head)
    {
        Read(SignalDialect.Common, 200, head, "", out var reading);
        Assert.InRange(reading.Ignored, 1, 5);
        Assert.Equal("", Windows(SignalDialect.Common, head));
    }

    [Fact]
    public void A_limit_of_zero_says_that_there_is_none() => Assert.Equal("", Windows(SignalDialect.Common, "X-RateLimit-Limit: 0|X-RateLimit-Remaining: 0|X-RateLimit-Reset: 60"));

    [Fact]
    public void Any_garbage_is_read_without_an_exception_and_never_stops_traffic_for_longer_than_a_day()
    {
        var random = new Random(20261125);
        string[] names = ["RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Reset-After",
            "Retry-After", "retry-after-ms", "Date", "Age", "X-Shopify-Shop-Api-Call-Limit", "Sforce-Limit-Info", "x-ratelimit-reset-requests", "x-ratelimit-bucket", "anthropic-ratelimit-tokens-reset"];
        string[] parts = ["0", "1", "10", "-1", "9223372036854775807", "1e308", "1772366400", "1772366400000", ".", "..5", "ms", "s", "m", "h", "d", "\"", ";", ",", "=", "r=0", "t=5", "q=1", "w=60", "pk=:a:", "limit=", "remaining=0", "reset=",
            "2026-03-01T12:00:30Z", "Sun, 01 Mar 2026 12:00:30 GMT", "GMT", "/", "api-usage=", " ", "\\", "\u00ff", "NaN", "true"];
        SignalDialect[] dialects = [SignalDialect.Common, .. new ProviderPacks().All.Select(ProviderCompiler.Dialect)];
        for (var i = 0; i < 60_000; i++)
        {
            var fields = new HeaderList();
            for (var count = random.Next(1, 7); count > 0; count--)
            {
                fields.Add(names[random.Next(names.Length)], string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => parts[random.Next(parts.Length)])));
            }

            SignalReader.Read(fields, random.Next(100, 600), dialects[i % dialects.Length], Now, out var reading);
            Assert.InRange(reading.RetryAfter, TimeSpan.Zero, RetryAfter.MaxWait);
            Assert.InRange(reading.Count, 0, SignalWindows.MaxCount);
            for (var window = 0; window < reading.Count; window++)
            {
                Assert.InRange(reading.Windows[window].ResetTicks, SignalWindow.Unknown, RetryAfter.MaxWait.Ticks);
                Assert.InRange(reading.Windows[window].Remaining, SignalWindow.Unknown, 1L << 40);
            }
        }
    }

    [Fact]
    public void Reading_an_answer_allocates_nothing()
    {
        var fields = Fields("Content-Type: application/json|Date: Sun, 01 Mar 2026 12:00:00 GMT|RateLimit-Policy: \"burst\";q=100;w=60|RateLimit: \"burst\";r=9;t=5|X-RateLimit-Limit: 60|X-RateLimit-Remaining: 5|X-RateLimit-Reset: 30|Retry-After: 3");
        Assert.Equal(0, AllocationMeter.Measure(Read, allowed: 0, TimeSpan.FromSeconds(60)));

        void Read() => SignalReader.Read(fields, 429, SignalDialect.Common, Now, out _);
    }

    private static SignalDialect Dialect(string provider) => ProviderCompiler.Dialect(new ProviderPacks().Find(provider)!);

    private static void Read(SignalDialect dialect, int status, string head, string content, out ProviderReading reading)
    {
        var fields = Fields(head);
        SignalReader.Read(fields, status, dialect, Now, out reading);
        ErrorContent.Read(Encoding.UTF8.GetBytes(content), status, fields, path: "/", dialect, ref reading);
    }

    private static string Windows(SignalDialect dialect, string head)
    {
        Read(dialect, 200, head, "", out var reading);
        var names = head.Split('"', ',', ';', ':', '|', ' ').Concat(["a;b,c", "ratelimit", "x-ratelimit", "requests", "tokens", "shop", "api-usage", "interval", "input-tokens", "account"]).DistinctBy(name => SignalName.Of(Encoding.UTF8.GetBytes(name))).ToDictionary(name => SignalName.Of(Encoding.UTF8.GetBytes(name)));
        var windows = new List<string>();
        for (var i = 0; i < reading.Count; i++)
        {
            var window = reading.Windows[i];
            if (window.IsUsable)
            {
                var ticks = window.ResetTicks >= 0 ? window.ResetTicks : window.PeriodTicks;
                windows.Add(FormattableString.Invariant($"{names[window.Name]}: {window.Remaining} of {(window.Limit < 0 ? "?" : window.Limit)} in {TimeSpan.FromTicks(ticks).TotalSeconds:0.###}"));
            }
        }

        return string.Join(", ", windows);
    }

    private static HeaderList Fields(string head)
    {
        var fields = new HeaderList();
        foreach (var line in head.Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            fields.Add(line[..colon], Epoch(line[(colon + 1)..].Trim()));
        }

        return fields;
    }

    private static string Epoch(string value)
    {
        var start = value.IndexOf("{epoch+", StringComparison.Ordinal);
        var end = value.IndexOf('}', StringComparison.Ordinal);
        return start < 0 ? value : value[..start] + (NowSeconds + long.Parse(value[(start + 7)..end], System.Globalization.CultureInfo.InvariantCulture)) + value[(end + 1)..];
    }
}
