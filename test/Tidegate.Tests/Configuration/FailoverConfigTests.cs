using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>What <c>check</c> says of alternatives that cannot be meant.</summary>
public sealed class FailoverConfigTests
{
    /// <param name="key">A key of an API; ^ stands where the problem is.</param>
    /// <param name="expected">What is said; null for nothing.</param>
    /// <param name="column">Where, when no ^ stands there.</param>
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
    [InlineData("upstream: { destinations: [{ url: \"http://a:1\", region: ^aaaaaaaaaabbbbbbbbbbccccccccccddd }] }", "'aaaaaaaaaabbbbbbbbbbccccccccccddd' is no region; write at most 32 letters, digits, hyphens, underscores and dots, for example eu-west")]
    [InlineData("upstream: { destinations: [{ url: \"http://a:1\", region: aaaaaaaaaabbbbbbbbbbccccccccccdd }] }", null)]
    [InlineData("upstream: { destinations: [http://a:1, http://b:1], ejection: { mode: observe } }", null)]
    [InlineData("upstream: { destinations: [http://a:1, http://b:1], ejection: { failure_ratio: 30%, minimum: 50, window: 1m } }", null)]
    [InlineData("upstream: { destinations: [http://a:1, http://b:1], ejection: { failure_ratio: ^130% } }", "'failure_ratio' is '130%'; expected a share from 0% to 100%, such as 20%")]
    [InlineData("upstream: { destinations: [{ url: \"http://a:1\", account: ^\"my account\" }] }", "'my account' is no account; write at most 32 letters, digits, hyphens, underscores and dots, for example main")]
    [InlineData("credential: { header: ^\"X Key\", value: \"${env:SHORT}\" }", "'X Key' is no name of a field; write letters, digits and hyphens, for example X-Api-Key")]
    [InlineData("credential: { header: ^\"X-Kéy\", value: \"${env:SHORT}\" }", "'X-Kéy' is no name of a field; write letters, digits and hyphens, for example X-Api-Key")]
    [InlineData("credential: { header: ^'', value: \"${env:SHORT}\" }", "'' is no name of a field; write letters, digits and hyphens, for example X-Api-Key")]
    [InlineData("credential: { header: ^content-length, value: \"${env:SHORT}\" }", "'content-length' says how a message is sent, and the gateway writes it itself; write another field")]
    [InlineData("credential: { header: ^Host, value: \"${env:SHORT}\" }", "'Host' says how a message is sent, and the gateway writes it itself; write another field")]
    [InlineData("retry: { idempotency: { header: ^\"Idempotency Key\" } }", "'Idempotency Key' is no name of a field; write letters, digits and hyphens, for example X-Api-Key")]
    [InlineData("retry: { idempotency: { header: ^Transfer-Encoding, inject: true } }", "'Transfer-Encoding' says how a message is sent, and the gateway writes it itself; write another field")]
    [InlineData("retry: { idempotency: { header: X_Request.Id, inject: true } }", null)]
    [InlineData("upstream: { destinations: [http://a:1, ^{ region: eu }] }", "the key 'url' is missing")]
    [InlineData("upstream: { destinations: [http://a:1, { url: ^http://a/b }] }", "'http://a/b' is no destination; write scheme, host and port, for example http://10.0.0.11:5000")]
    [InlineData("upstream: { destinations: [^http] }", "'http' is no destination; write scheme, host and port, for example http://10.0.0.11:5000")]
    [InlineData("credential: ^{ header: Authorization }", "a credential has either value or keys")]
    [InlineData("credential: { header: A, keys: [\"${env:SHORT}\"], value: \"x ${env:SHORT}\" }", "a credential has either value or keys", 12)]
    [InlineData("credential: { header: A, keys: ^[] }", "keys is empty; list at least one, or write value")]
    [InlineData("credential: { header: A, value: \"${env:SHORT}\", set_aside: ^1m }", "balance, set_aside and mode belong to keys")]
    [InlineData("credential: { header: A, value: \"${env:SHORT}\", mode: ^observe }", "balance, set_aside and mode belong to keys")]
    [InlineData("credential: { header: A, keys: [\"${env:SHORT}\"], mode: observe }", null)]
    [InlineData("fallback: { body: '{}', mode: observe }", null)]
    [InlineData("credential: { header: A, value: \"${env:SHORT}\", balance: ^ordered }", "balance, set_aside and mode belong to keys")]
    [InlineData("credential: { header: A, keys: [\"1${env:SHORT}\", ^\"1${env:SHORT}\"] }", "another key has the same value; remove one, or give it a weight")]
    [InlineData("credential: { header: A, keys: [{ name: x, value: \"1${env:SHORT}\" }, { name: ^x, value: \"2${env:SHORT}\" }] }", "there are two keys named 'x' here")]
    [InlineData("credential: { header: A, keys: [{ name: ^\"x y\", value: \"1${env:SHORT}\" }] }", "a key's name has 1 to 32 letters, digits, hyphens, underscores and dots")]
    [InlineData("credential: { header: A, keys: [{ weight: ^101, value: \"1${env:SHORT}\" }] }", "a weight is 1 to 100")]
    [InlineData("credential: { header: A, keys: [^\"${secret:gone}\"], balance: ordered }", "the secret 'gone' cannot be found*")]
    [InlineData("limits: [{ rate: 5/s, per: [endpoint, ^credential] }]", "'credential' tells the API's own keys apart: list several under credential.keys")]
    [InlineData("limits: [{ rate: 5 points/s, cost: { header: x, on_unread: ^deny } }]", "on_unread belongs to json: it is about what is read there")]
    [InlineData("limits: [{ rate: 5 points/s, cost: { json: /n, on_unread: deny } }]", null)]
    [InlineData("hedge: { after: ^soon }", "'soon' is no time to hedge after; write a duration such as 200ms, or p50 to p99.9")]
    [InlineData("hedge: { after: ^p49 }", "'p49' is no time to hedge after; write a duration such as 200ms, or p50 to p99.9")]
    [InlineData("hedge: { after: ^p100 }", "'p100' is no time to hedge after; write a duration such as 200ms, or p50 to p99.9")]
    [InlineData("hedge: { max: ^4 }", "at most 3 requests can be sent beside the first")]
    [InlineData("hedge: { budget: ^0% }", "with 0% nothing is ever sent a second time; remove hedge, or use mode: observe to see what it would do")]
    [InlineData("hedge: { after: p99.9, budget: 2%, max: 2, mode: observe }", null)]
    [InlineData("hedge: {}", null)]
    public async Task Each_value_that_cannot_be_meant_is_an_error_at_its_place(string key, string? expected, int column = 0)
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

        var parts = $"t.yaml:6:{(column > 0 ? column : key.IndexOf('^', StringComparison.Ordinal)) + 5} error: {expected}".Split('*');
        Assert.Single(problems.Where(problem => problem.Contains(" error: ", StringComparison.Ordinal)), problem => problem.StartsWith(parts[0], StringComparison.Ordinal) && problem.Contains(parts[^1], StringComparison.Ordinal));
    }
}
