using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>What <c>check</c> says of alternatives that cannot be meant.</summary>
public sealed class FailoverConfigTests
{
    /// <param name="key">A key of an API; ^ stands where the problem is.</param>
    /// <param name="expected">What is said; null for nothing.</param>
    [Theory]
    [InlineData("fallback: { status: ^199 }", "199 is no answer; write 200 to 599")]
    [InlineData("fallback: { status: ^204, body: '{}' }", "an answer with 204 has no content; remove body or file, or write another status")]
    [InlineData("fallback: { body: ^sorry }", "the content is no JSON; write it as JSON, or say what it is with content_type")]
    [InlineData("fallback: { body: sorry, content_type: text/plain }", null)]
    [InlineData("fallback: { body: '{}', content_type: ^\"a\\nb\" }", "content_type must be a media type, for example application/json")]
    [InlineData("fallback: { file: ^gone.json }", "the file '*gone.json' cannot be read")]
    [InlineData("fallback: { when: [failure, ^circiut_open, 429] }", "'circiut_open' is nothing to stand in for; use failure, circuit_open, limit, or a status from 400 to 599 (did you mean 'circuit_open'?)")]
    [InlineData("fallback: { when: [failure, limit, ^200] }", "'200' is nothing to stand in for; use failure, circuit_open, limit, or a status from 400 to 599")]
    [InlineData("upstream: { destinations: [{ url: \"http://a:1\", region: ^\"eu west\" }] }", "'eu west' is no region; write at most 32 letters, digits, hyphens, underscores and dots, for example eu-west")]
    [InlineData("upstream: { destinations: [http://a:1, ^{ region: eu }] }", "the key 'url' is missing")]
    [InlineData("upstream: { destinations: [http://a:1, { url: ^http://a/b }] }", "'http://a/b' is no destination; write scheme, host and port, for example http://10.0.0.11:5000")]
    [InlineData("upstream: { destinations: [^http] }", "'http' is no destination; write scheme, host and port, for example http://10.0.0.11:5000")]
    public async Task Each_value_that_cannot_be_meant_is_an_error_at_its_place(string key, string? expected)
    {
        var problems = await CheckTests.ProblemsAsync($$"""
            listeners: { egress: { address: 127.0.0.1:8080 } }
            apis:
              - name: a
                direction: egress
                hosts: [a.test]
                {{key.Replace("^", "", StringComparison.Ordinal)}}
            """);

        if (expected is null)
        {
            Assert.Empty(problems);
            return;
        }

        var parts = $"t.yaml:6:{key.IndexOf('^', StringComparison.Ordinal) + 5} error: {expected}".Split('*');
        Assert.Contains(problems, problem => problem.StartsWith(parts[0], StringComparison.Ordinal) && problem.Contains(parts[^1], StringComparison.Ordinal));
    }
}
