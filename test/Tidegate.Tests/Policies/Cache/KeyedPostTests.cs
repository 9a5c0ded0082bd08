using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>A POST that the configuration calls a read: its content is a part of the key.</summary>
public sealed class KeyedPostTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly CacheBench _bench = new(new CacheSettings { Api = "api", Partition = CachePartition.None, KeysBody = true, StaleOnFailure = TimeSpan.FromMinutes(1) });
    private string _given = "Cache-Control: max-age=60";

    public KeyedPostTests() => _bench.Upstream = EchoAsync;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_content_has_an_answer_of_its_own()
    {
        Assert.Equal("POST one", (await _bench.CallAsync("POST", content: "one")).Content);
        Assert.Equal("POST two", (await _bench.CallAsync("POST", content: "two")).Content);
        Assert.True((await _bench.CallAsync("POST", content: "one")) is { IsFromStore: true, Content: "POST one" });
        Assert.Equal(2, _bench.Asked.Count);
    }

    [Fact]
    public async Task A_stale_answer_is_asked_for_again_by_post_with_its_content_and_without_conditions()
    {
        _given = "Cache-Control: max-age=10\nETag: \"v1\"\nLast-Modified: Wed, 25 Nov 2026 09:00:00 GMT";
        await _bench.CallAsync("POST", content: "one");
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal("POST one", (await _bench.CallAsync("POST", content: "one")).Content);
        var asked = _bench.Asked[1];
        Assert.Equal(("POST", null, null), (asked.Method, asked.RequestHeaders.Get("If-None-Match"), asked.RequestHeaders.Get("If-Modified-Since")));
    }

    [Fact]
    public async Task A_refresh_in_the_background_is_a_post_with_the_same_content()
    {
        _given = "Cache-Control: max-age=10, stale-while-revalidate=60\nETag: \"v1\"";
        await _bench.CallAsync("POST", content: "one");
        _bench.Time.Advance(TimeSpan.FromSeconds(20));
        _given = "Cache-Control: max-age=60";
        var stale = CacheBench.Request("POST", content: "one");
        Assert.Equal(CacheResult.HitStale, (await _bench.RunAsync(stale)).Cache);
        stale.Reset();
        for (var i = 0; i < 12_000 && _bench.Cache.Store.Find(Key("one"), new HeaderList(), out _)?.HasValidator != false; i++)
        {
            await Task.Delay(5, Cancellation);
        }

        var hit = await _bench.CallAsync("POST", content: "one");
        Assert.Equal((CacheResult.Hit, "POST one"), (hit.Cache, hit.Content));
        Assert.Equal(["POST", "POST"], _bench.Asked.Select(asked => asked.Method));
        Assert.Null(_bench.Asked[1].RequestHeaders.Get("If-None-Match"));
    }

    [Fact]
    public async Task Posts_with_the_same_content_at_the_same_time_ask_once_also_while_the_answer_comes()
    {
        var body = new FlightTests.FedBody();
        _bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", body);
        var calls = Enumerable.Range(0, 5).Select(_ => _bench.CallAsync("POST", content: "one")).ToList();
        body.Feed("first ");
        calls.Add(_bench.CallAsync("POST", content: "one"));
        body.Feed("second");
        body.End();
        Assert.All(await Task.WhenAll(calls).WaitAsync(Patience, Cancellation), answer => Assert.Equal("first second", answer.Content));
        Assert.Single(_bench.Asked);
    }

    [Theory]
    [InlineData("Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded")]
    [InlineData("Content-Encoding: gzip", "")]
    public async Task The_same_bytes_of_another_type_or_coding_are_another_question(string one, string other)
    {
        await _bench.CallAsync("POST", fields: one, content: "one");
        Assert.False((await _bench.CallAsync("POST", fields: other, content: "one")).IsFromStore);
        Assert.True((await _bench.CallAsync("POST", fields: one, content: "one")).IsFromStore);
    }

    [Theory]
    [InlineData("If-None-Match: *")]
    [InlineData("If-Modified-Since: Wed, 25 Nov 2026 09:00:00 GMT")]
    [InlineData("Range: bytes=0-1")]
    public async Task A_condition_is_for_the_upstream_to_judge(string field)
    {
        await _bench.CallAsync("POST", content: "one");
        var answer = await _bench.CallAsync("POST", fields: field, content: "one");
        Assert.Equal((CacheResult.Bypass, 200, "POST one"), (answer.Cache, answer.Status, answer.Content));
    }

    [Fact]
    public async Task A_client_that_leaves_while_its_content_comes_is_no_bug()
    {
        using var leaving = new CancellationTokenSource();
        var exchange = CacheBench.Request("POST");
        exchange.Aborted = leaving.Token;
        exchange.RequestBody = new FlightTests.FedBody();
        var call = _bench.Policy.InvokeAsync(exchange, static _ => throw new InvalidOperationException("Nothing is sent.")).AsTask();
        await leaving.CancelAsync();
        await call.WaitAsync(Patience, Cancellation);
        Assert.Equal((Outcome.Failed, FailureKind.ClientAborted), (exchange.Outcome, exchange.Failure!.Kind));
    }

    [Theory]
    [InlineData("", 3)]
    [InlineData("Cache-Control: no-store", 3)]
    [InlineData("Range: bytes=0-1", 3)]
    public async Task Its_content_is_counted_once(string field, int bytes)
    {
        var answer = await _bench.CallAsync("POST", fields: field, content: "one");
        Assert.Equal(bytes, answer.Exchange.RequestBodyBytes);
    }

    [Theory]
    [InlineData(64 * 1024, true)]
    [InlineData((64 * 1024) + 1, false)]
    public async Task Content_that_is_too_large_for_a_key_is_sent_whole(int length, bool isKeyed)
    {
        var content = new string('x', length);
        Assert.Equal("POST " + content, (await _bench.CallAsync("POST", content: content)).Content);
        Assert.Equal(isKeyed, (await _bench.CallAsync("POST", content: content)).IsFromStore);

        // The same when nobody said how long it is.
        var exchange = CacheBench.Request("POST");
        var body = new FlightTests.FedBody();
        body.Feed(content);
        body.End();
        exchange.RequestBody = body;
        var answer = await _bench.RunAsync(exchange);
        Assert.Equal(("POST " + content, isKeyed), (answer.Content, answer.IsFromStore));
    }

    [Fact]
    public async Task Of_its_answer_nothing_is_guessed()
    {
        _given = "Last-Modified: Wed, 25 Nov 2020 09:00:00 GMT";
        await _bench.CallAsync("POST", content: "one");
        Assert.False((await _bench.CallAsync("POST", content: "one")).IsFromStore);
    }

    private UInt128 Key(string content) => CacheKey.Of(CacheBench.Request("POST"), _bench.Policy.Settings, CacheKeyParts.Of(_bench.Policy.Settings, _bench.Cache.Secret), Encoding.UTF8.GetBytes(content))!.Value.Value;

    /// <summary>Answers with method and content, and counts as the forwarder does.</summary>
    private async Task EchoAsync(Exchange asked)
    {
        var content = new StringBuilder();
        var buffer = new byte[1000];
        while (await asked.RequestBody.ReadAsync(buffer, Cancellation) is > 0 and var read)
        {
            asked.RequestBodyBytes += read;
            content.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        await CacheBench.Answer(asked, 200, _given, $"{asked.Method} {content}");
    }
}
