using System.Globalization;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>What is missing of a range of which stored parts have an end: the upstream is asked for that alone, and nothing of two wholes is ever mixed.</summary>
public sealed class PartGapTests
{
    private static readonly string Whole = string.Concat(Enumerable.Range(0, 20_000).Select(static i => i.ToString("D5", CultureInfo.InvariantCulture)));

    // As it is asked while it is asked: the client's fields are put back behind it.
    private readonly List<(string? Range, string? IfRange)> _asked = [];
    private readonly CacheBench _bench = new();

    private string _whole = Whole;
    private string _tag = "\"v1\"";
    private string _control = "max-age=60";

    // Services that do not know If-Range send the part of whatever they have.
    private bool _heedsIfRange = true;

    public PartGapTests() => _bench.Upstream = Answer;

    [Theory]
    [InlineData("0-9999", "5000-49999", "10000-49999")]
    [InlineData("40000-59999", "30000-45000", "30000-39999")]
    [InlineData("0-9999 30000-39999", "0-39999", "10000-29999")]
    [InlineData("0-9999 20000-20999 30000-39999", "5000-34999", "10000-29999")]
    [InlineData("99000-99999", "-2000", "98000-98999")]
    [InlineData("50000-59999", "50000-", "60000-99999")]
    [InlineData("0-9999", "9999-10000", "10000-10000")]
    public async Task Only_what_is_missing_is_asked_for_and_the_client_gets_what_it_wanted(string held, string wanted, string missing)
    {
        foreach (var range in held.Split(' '))
        {
            await GetAsync(range);
        }

        _asked.Clear();
        var call = CacheBench.Request(fields: "Range: bytes=" + wanted);
        var answer = await _bench.RunAsync(call);

        Assert.Equal(("bytes=" + missing, "\"v1\""), Assert.Single(_asked));
        Assert.Equal(("bytes=" + wanted, null), (call.RequestHeaders.Get("Range"), call.RequestHeaders.Get("If-Range")));
        Assert.True(ByteRange.Read(System.Text.Encoding.ASCII.GetBytes("bytes=" + wanted), Whole.Length, out var range2));
        Assert.Equal((206, Whole.Substring((int)range2.Start, (int)range2.Length)), (answer.Status, answer.Content));
        Assert.Equal($"bytes {range2.Start}-{range2.Start + range2.Length - 1}/100000", answer["Content-Range"]);
        Assert.Equal((CacheResult.Partial, Outcome.Forwarded, "tidegate; fwd=partial; fwd-status=206; stored; detail=gap"), (answer.Cache, call.Outcome, answer["Cache-Status"]));

        // The wider part is there for the next.
        Assert.True(await GetAsync(wanted) is { IsFromStore: true } again && again.Content == answer.Content);
        Assert.Single(_asked);
    }

    [Fact]
    public async Task The_last_gap_makes_the_whole()
    {
        await GetAsync("0-49999");
        await GetAsync("40000-99999");
        Assert.Equal("bytes=50000-99999", _asked[^1].Range);
        Assert.True(await _bench.CallAsync() is { IsFromStore: true, Status: 200 } whole && whole.Content == Whole);
        Assert.Equal(1, _bench.Cache.Store.Count);
    }

    [Fact]
    public async Task What_the_missing_part_does_not_say_again_is_what_was_said_of_the_whole()
    {
        _bench.Upstream = async asked =>
        {
            await Answer(asked);
            asked.ResponseHeaders.Add("Content-Digest", "sha-256=:of-these-bytes:");
            if (_asked.Count == 1)
            {
                asked.ResponseHeaders.Add("Content-Type", "text/plain");
                asked.ResponseHeaders.Add("X-A", "old");
            }
            else
            {
                asked.ResponseHeaders.Add("X-A", "new");
                asked.ResponseHeaders.Add("Set-Cookie", "a=b");
            }
        };
        await GetAsync("0-9999");
        var answer = await GetAsync("0-19999");
        Assert.Equal(("text/plain", "new", "a=b", null), (answer["Content-Type"], answer["X-A"], answer["Set-Cookie"], answer["Content-Digest"]));
    }

    [Theory]
    [InlineData("bytes=20000-29999", "")]
    [InlineData("bytes=5000-14999, 20000-20010", "")]
    [InlineData("bytes=5000-14999", "If-Range: \"v2\"")]
    [InlineData("bytes=5000-14999", "If-None-Match: \"v2\"")]
    [InlineData("bytes=5000-14999", "Cache-Control: no-cache")]
    [InlineData("bytes=5000-14999", "Cache-Control: no-store")]
    [InlineData("bytes=5000-14999", "stale")]
    [InlineData("bytes=5000-14999", "purged")]
    [InlineData("bytes=5000-14999", "soft")]
    public async Task Where_what_is_held_is_of_no_use_it_is_asked_as_the_client_wrote_it(string range, string line)
    {
        await GetAsync("0-9999");
        if (line == "stale")
        {
            _bench.Time.Advance(TimeSpan.FromSeconds(61));
        }
        else if (line is "purged" or "soft")
        {
            _bench.Cache.PurgeUrl("api.test/a", isSoft: line == "soft");
        }

        var fields = line.Contains(':', StringComparison.Ordinal) ? line : "";
        await _bench.CallAsync(fields: $"Range: {range}\n{fields}");
        Assert.Equal((range, fields.StartsWith("If-Range", StringComparison.Ordinal) ? "\"v2\"" : null), _asked[^1]);
    }

    [Fact]
    public async Task A_client_that_names_the_same_whole_gets_its_own_condition_back()
    {
        await GetAsync("0-9999");
        var call = CacheBench.Request(fields: "Range: bytes=5000-14999\nIf-Range: \"v1\"");
        Assert.Equal(Whole[5_000..15_000], (await _bench.RunAsync(call)).Content);
        Assert.Equal("\"v1\"", call.RequestHeaders.Get("If-Range"));
        Assert.Equal(1, call.RequestHeaders.CountOf(KnownHeader.IfRange));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_the_whole_has_changed_the_client_gets_nothing_of_the_old_one(bool heedsIfRange)
    {
        await GetAsync("0-9999");
        (_whole, _tag, _heedsIfRange) = (new string('n', 100_000), "\"v2\"", heedsIfRange);
        var answer = await GetAsync("5000-14999");
        Assert.Equal(heedsIfRange ? (200, _whole) : (206, _whole[..10_000]), (answer.Status, answer.Content));
        Assert.Equal($"tidegate; fwd=partial; fwd-status={answer.Status}; stored; detail=gap-changed", answer["Cache-Status"]);
        Assert.Equal(heedsIfRange ? 2 : 3, _asked.Count);

        // What is stored now is of the new one alone.
        Assert.Equal(1, _bench.Cache.Store.Count);
        Assert.True(await GetAsync("5000-14999") is { IsFromStore: true, Status: 206 } again && again.Content == _whole[..10_000]);
        Assert.Equal(heedsIfRange, (await GetAsync("0-99")).IsFromStore);
    }

    [Theory]
    [InlineData(206, "ETag: W/\"v1\"\nContent-Range: bytes 10000-14999/100000")]
    [InlineData(206, "Content-Range: bytes 10000-14999/100000")]
    [InlineData(206, "ETag: \"v1\"\nETag: \"v1\"\nContent-Range: bytes 10000-14999/100000")]
    [InlineData(206, "ETag: \"v1\"\nContent-Range: bytes 10000-14999/100001")]
    [InlineData(206, "ETag: \"v1\"\nContent-Range: bytes 9999-14998/100000")]
    [InlineData(206, "ETag: \"v1\"\nContent-Range: bytes 10000-14998/100000")]
    [InlineData(206, "ETag: \"v1\"\nContent-Type: multipart/byteranges; boundary=a")]
    [InlineData(206, "ETag: \"v1\"\nContent-Range: bytes 10000-14999/100000", 4_999)]
    [InlineData(416, "Content-Range: bytes */100")]
    [InlineData(412, "ETag: \"v2\"")]
    [InlineData(403, "")]
    public async Task What_is_not_the_missing_part_is_thrown_away_and_it_is_asked_once_more_as_the_client_wrote_it(int status, string fields, int length = 5_000)
    {
        await GetAsync("0-9999");
        var thrownAway = new ClosedBody(new string('?', length));
        var ended = new CountedEnding();
        _bench.Upstream = asked =>
        {
            if (asked.RequestHeaders.Get("If-Range") is null)
            {
                return Answer(asked);
            }

            asked.WhenAnswerEnds(ended);
            return CacheBench.Answer(asked, status, "Cache-Control: max-age=60\n" + fields, thrownAway);
        };
        var call = CacheBench.Request(fields: "Range: bytes=5000-14999");
        var outer = new CountedEnding();
        call.WhenAnswerEnds(outer);
        await _bench.Policy.InvokeAsync(call, asked => new ValueTask(_bench.Upstream(asked)));
        Assert.Equal((1, 1, 0), (thrownAway.Closed, ended.Count, outer.Count));
        Assert.Equal(Whole[5_000..15_000], (await CacheBench.ReadAsync(call)).Content);
        Assert.Equal("bytes=5000-14999", _asked[^1].Range);
        Assert.Equal("tidegate; fwd=partial; fwd-status=206; stored; detail=gap-changed", call.ResponseHeaders.Get("Cache-Status"));
    }

    [Fact]
    public async Task What_comes_of_asking_once_more_is_for_those_who_ask_as_the_client_did_not_as_the_gateway_did()
    {
        _bench.Upstream = asked => AsGatewayAsync(asked, "Accept-Language", "gateway", "Vary: Accept-Language");
        await _bench.CallAsync(fields: "Range: bytes=0-9999\nAccept-Language: de");
        await _bench.CallAsync(fields: "Range: bytes=5000-14999\nAccept-Language: de");
        Assert.False((await _bench.CallAsync(fields: "Range: bytes=5000-14999\nAccept-Language: gateway")).IsFromStore);
        Assert.True((await _bench.CallAsync(fields: "Range: bytes=5000-14999\nAccept-Language: de")).IsFromStore);
    }

    [Fact]
    public async Task What_comes_of_asking_once_more_goes_with_the_clients_credential_not_with_the_gateways()
    {
        var bench = new CacheBench(new CacheSettings { Api = "api", Partition = CachePartition.Credential }) { Upstream = asked => AsGatewayAsync(asked, "Authorization", "Bearer gateway", "X-A: 1") };
        const string Credentials = "\nAuthorization: Bearer a\nX-Token: t";
        await bench.CallAsync(fields: "Range: bytes=0-9999" + Credentials);
        await bench.CallAsync(fields: "Range: bytes=5000-14999" + Credentials);
        bench.Cache.PurgeCredential("Authorization", "Bearer gateway", isSoft: false, []);
        Assert.True((await bench.CallAsync(fields: "Range: bytes=5000-14999" + Credentials)).IsFromStore);
        bench.Cache.PurgeCredential("Authorization", "Bearer a", isSoft: false, []);
        Assert.False((await bench.CallAsync(fields: "Range: bytes=5000-14999" + Credentials)).IsFromStore);
    }

    [Fact]
    public async Task A_missing_part_is_not_stored_alone_where_the_others_have_gone_while_it_was_asked_for()
    {
        await GetAsync("0-9999");
        _bench.Upstream = asked =>
        {
            var key = CacheKey.Of(CacheBench.Request(), _bench.Policy.Settings, CacheKeyParts.Of(_bench.Policy.Settings, _bench.Cache.Secret))!.Value;
            _bench.Cache.Store.Drop(_bench.Cache.Store.Find(CacheKey.OfParts(key.Value), asked.RequestHeaders, out _)!);
            return Answer(asked);
        };
        var answer = await GetAsync("5000-14999");
        Assert.Equal((Whole[5_000..15_000], "tidegate; fwd=partial; fwd-status=206; detail=gap"), (answer.Content, answer["Cache-Status"]));
        Assert.Equal(0, _bench.Cache.Store.Count);
    }

    [Theory]
    [InlineData(4_999)]
    [InlineData(5_001)]
    [InlineData(0)]
    public async Task A_part_that_is_not_as_long_as_it_says_breaks_the_answer_and_widens_nothing(int length)
    {
        await GetAsync("0-9999");
        await GetAsync("15000-19999");
        var bytes = _bench.Cache.Store.Bytes;
        _bench.Upstream = asked => CacheBench.Answer(asked, 206, "Cache-Control: max-age=60\nETag: \"v1\"\nContent-Range: bytes 10000-14999/100000", new ClosedBody(new string('?', length), isAnnounced: false));
        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => GetAsync("0-19999"));
        Assert.Equal((FailureSource.Upstream, FailureKind.ResponseMalformed), (broken.Failure.Source, broken.Failure.Kind));
        Assert.Equal(bytes, _bench.Cache.Store.Bytes);
        Assert.True((await GetAsync("0-9999")).IsFromStore);
        Assert.False((await CallAsync("10000-14999")).IsFromStore);

        async Task<CacheAnswer> CallAsync(string range)
        {
            _bench.Upstream = Answer;
            return await GetAsync(range);
        }
    }

    [Fact]
    public async Task A_purge_while_the_missing_part_is_on_its_way_holds_for_what_was_held()
    {
        await GetAsync("0-9999");
        _bench.Upstream = asked =>
        {
            if (asked.RequestHeaders.Get("If-Range") is not null)
            {
                _bench.Cache.PurgeUrl("api.test/a", isSoft: false);
            }

            return Answer(asked);
        };
        await GetAsync("5000-14999");
        Assert.Equal("bytes=5000-14999", _asked[^1].Range);
    }

    [Fact]
    public async Task What_must_not_be_stored_is_put_together_for_the_client_alone()
    {
        await GetAsync("0-9999");
        _control = "no-store";
        var answer = await GetAsync("5000-14999");
        Assert.Equal((Whole[5_000..15_000], "tidegate; fwd=partial; fwd-status=206; detail=gap"), (answer.Content, answer["Cache-Status"]));
        Assert.False((await GetAsync("10000-10099")).IsFromStore);
    }

    [Fact]
    public async Task An_error_is_the_clients()
    {
        await GetAsync("0-9999");
        _bench.Upstream = asked => CacheBench.Answer(asked, 503, "Retry-After: 1", "busy");
        var answer = await GetAsync("5000-14999");
        Assert.Equal((503, "busy", null), (answer.Status, answer.Content, answer["Content-Range"]));
        Assert.True((await GetAsync("0-9999")).IsFromStore);
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_keeps_nothing_from_being_let_go()
    {
        await GetAsync("0-9999");
        await GetAsync("20000-29999");
        var missing = new ClosedBody(Whole[10_000..20_000]);
        var call = CacheBench.Request(fields: "Range: bytes=0-29999");
        await _bench.Policy.InvokeAsync(call, asked => new ValueTask(CacheBench.Answer(asked, 206, "Cache-Control: max-age=60\nETag: \"v1\"\nContent-Range: bytes 10000-19999/100000", missing)));
        Assert.Equal(1000, await call.ResponseBody.ReadAsync(new byte[1000], TestContext.Current.CancellationToken));

        // What is read is counted until its last reader has left.
        var key = CacheKey.Of(CacheBench.Request(), _bench.Policy.Settings, CacheKeyParts.Of(_bench.Policy.Settings, _bench.Cache.Secret))!.Value;
        _bench.Cache.Store.Drop(_bench.Cache.Store.Find(CacheKey.OfParts(key.Value), call.RequestHeaders, out _)!);
        Assert.InRange(_bench.Cache.Store.Bytes, 1, 100_000);
        await call.ResponseBody.DisposeAsync();
        Assert.Equal((1, 0, 0L), (missing.Closed, _bench.Cache.Store.Count, _bench.Cache.Store.Bytes));
    }

    [Theory]
    [InlineData(true, 5)]
    [InlineData(false, 6)]
    public async Task Random_ranges_of_a_whole_that_changes_without_a_word_are_of_one_whole_each(bool heedsIfRange, int seed)
    {
        var random = new Random(seed);
        var version = 1;
        _heedsIfRange = heedsIfRange;
        var filled = 0;
        for (var i = 0; i < 3000; i++)
        {
            if (random.Next(30) == 0)
            {
                version++;
                (_whole, _tag) = (new string((char)('a' + (version % 26)), 100_000), $"\"v{version}\"");
            }

            var start = random.Next(90_000);
            var end = start + random.Next(1, 10_000);
            var answer = await GetAsync($"{start}-{end - 1}");
            if (answer.Status == 206)
            {
                Assert.Equal(end - start, answer.Content.Length);
                Assert.True(answer.Content.AsSpan().IndexOfAnyExcept(answer.Content[0]) < 0 || answer.Content == Whole[start..end], "Of two wholes.");
            }

            filled += answer["Cache-Status"]!.EndsWith("detail=gap", StringComparison.Ordinal) ? 1 : 0;
            if (random.Next(20) == 0)
            {
                _bench.Cache.PurgeUrl("api.test/a", isSoft: random.Next(2) == 0);
            }
        }

        Assert.InRange(filled, 100, 2900);
        Assert.Empty(_bench.Bugs);
    }

    private Task<CacheAnswer> GetAsync(string range) => _bench.CallAsync(fields: "Range: bytes=" + range);

    /// <summary>Behind policies that change what the client sent, and a service that refuses the gateway's own condition.</summary>
    private async Task AsGatewayAsync(Exchange asked, string name, string value, string fields)
    {
        asked.RequestHeaders.Set(name, value);
        if (asked.RequestHeaders.Contains(KnownHeader.IfRange))
        {
            await CacheBench.Answer(asked, 412, "", "refused");
            return;
        }

        await Answer(asked);
        asked.ResponseHeaders.Add(fields.Split(": ")[0], fields.Split(": ")[1]);
    }

    private Task Answer(Exchange asked)
    {
        var condition = asked.RequestHeaders.Get("If-Range");
        _asked.Add((asked.RequestHeaders.Get("Range"), condition));
        var fields = $"Cache-Control: {_control}\nETag: {_tag}";
        return (condition is null || condition == _tag || !_heedsIfRange) && asked.RequestHeaders.TryGet(KnownHeader.Range, out var field) && ByteRange.Read(field, _whole.Length, out var range) is true
            ? CacheBench.Answer(asked, 206, fields + $"\nContent-Range: bytes {range.Start}-{range.Start + range.Length - 1}/{_whole.Length}", _whole.Substring((int)range.Start, (int)range.Length))
            : CacheBench.Answer(asked, 200, fields, _whole);
    }

    private sealed class CountedEnding : IAnswerEnding
    {
        public int Count { get; private set; }

        public void AnswerEnded(Exchange exchange) => Count++;
    }

    /// <summary>Content whose end is seen.</summary>
    private sealed class ClosedBody(string text, bool isAnnounced = true) : MessageBody
    {
        private readonly CacheBench.TextBody _text = new(text);

        public int Closed { get; private set; }

        public override long? Length => isAnnounced ? _text.Length : null;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => _text.ReadAsync(buffer, cancellationToken);

        public override ValueTask DisposeAsync()
        {
            Closed++;
            return default;
        }
    }
}
