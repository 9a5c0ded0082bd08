using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>What <c>check</c> says of captures that cannot be meant.</summary>
public sealed class CaptureConfigTests
{
    /// <param name="key">The value of recording.capture; ^ stands where the problem is.</param>
    /// <param name="expected">What is said; null for nothing.</param>
    [Theory]
    [InlineData("{ errors: true }", null)]
    [InlineData("{ sample: 1%, slower_than: 2s, apis: [a], max_body: 64KB, memory: 32MB, redact: customer }", null)]
    [InlineData("^{}", "capture chooses nothing; write sample, errors or slower_than")]
    [InlineData("^{ sample: 0% }", "capture chooses nothing; write sample, errors or slower_than")]
    [InlineData("{ errors: true, max_body: ^2MB }", "max_body is at most 1MB")]
    [InlineData("{ errors: true, max_body: 1MB, memory: ^2MB }", "memory is less than one exchange may take (2113536 bytes); make it larger, or max_body smaller")]
    [InlineData("{ errors: true, apis: [a, ^aa] }", "there is no API 'aa'")]
    public async Task Each_capture_that_cannot_be_meant_is_an_error_at_its_place(string key, string? expected)
    {
        var problems = await CheckTests.ProblemsAsync($$"""
            listeners: { egress: { address: 127.0.0.1:8080 } }
            apis: [{ name: a, direction: egress, hosts: [a.test] }]
            recording:
              capture: {{key.Replace("^", "", StringComparison.Ordinal)}}
            """);

        if (expected is null)
        {
            Assert.Empty(problems);
            return;
        }

        Assert.Equal($"t.yaml:4:{key.IndexOf('^', StringComparison.Ordinal) + 12} error: {expected}", Assert.Single(problems));
    }
}
