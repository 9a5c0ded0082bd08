using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Costs;
using Xunit;

namespace Tidegate.Tests.Policies.Limits.Costs;

public sealed class JsonCostTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 40)];

    [Theory]
    [InlineData("/usage/total_tokens", """{"id":"x","usage":{"prompt_tokens":9,"total_tokens":42},"choices":[]}""", 42)]
    [InlineData("/usage/total_tokens", """{"choices":[{"usage":{"total_tokens":7}}],"usage":{"total_tokens":42}}""", 42)]
    [InlineData("/usage/total_tokens", """{"choices":[{"usage":{"total_tokens":7}}]}""", -1)]
    [InlineData("/usage/total_tokens", """{"text":"\"usage\":{\"total_tokens\":7}","usage":{"other":1}}""", -1)]
    [InlineData("/usage/total_tokens", """{"usage" : { "x":[1,2,{"total_tokens":1}], "total_tokens" : 42 } }""", 42)]
    [InlineData("/usage/total_tokens", """{"usage":{"total_tokens":"42"}}""", -1)]
    [InlineData("/usage/total_tokens", """{"usage":{"total_tokens":null}}""", -1)]
    [InlineData("/usage/total_tokens", """{"usage":{"total_tokens":-3}}""", -1)]
    [InlineData("/usage/total_tokens", """{"usage":{"total_tokens":12.2}}""", 13)]
    [InlineData("/usage/total_tokens", """{"usage":{"total_tokens":1e3}}""", 1000)]
    [InlineData("/usage/total_tokens", """{"usage":{"total_tokens":1e300}}""", 1L << 40)]
    [InlineData("/usage/total_tokens", """{"usage":{"total_tokens":11111111111111111111111111111111111111111111111111}}""", 1L << 40)]
    [InlineData("/n", """{"n":1000.0000000000000000000000000000000000000000}""", 1000)]
    [InlineData("/n", """{"n":0.00000000000000000000000000000000000000000001e47}""", 1000)]
    [InlineData("/n", """{"n":100000000000000000000000000000000000000000000e-41}""", 1000)]
    [InlineData("/n", """{"n":1e-999999999999999999999999999}""", 0)]
    [InlineData("/n", """{"n":1e999999999999999999999999999}""", 1L << 40)]
    [InlineData("/n", """{"n":0e999999999999999999999999999}""", 0)]
    [InlineData("/n", """{"n":1-2}""", -1)]
    [InlineData("/n", """{"n":1.}""", -1)]
    [InlineData("/n", """{"n":1e}""", -1)]
    [InlineData("/n", """{"n":-}""", -1)]
    [InlineData("/n", """{"n":1.2.3}""", -1)]
    [InlineData("/usage/total_tokens", """{"usage":{"total_tokens_x":1,"total_token":2}}""", -1)]
    [InlineData("/usage/total_tokens", """{"usage":{"total\u005ftokens":1}}""", 1)]
    [InlineData("/usage/total_tokens", """{"\u0075sage":{"\u0074otal\u005Ftokens":1}}""", 1)]
    [InlineData("/usage/total_tokens", """{"usage":{"total\u005ftokens\u0000":1}}""", -1)]
    [InlineData("/a~1b", """{"a\/b":3}""", 3)]
    [InlineData("/q\"", """{"q\"":3,"q":1}""", 3)]
    [InlineData("/q\\", """{"q\\":3}""", 3)]
    [InlineData("/tab\t", """{"tab\t":3}""", 3)]
    [InlineData("/é", """{"\u00e9":3}""", 3)]
    [InlineData("/é", """{"é":3}""", 3)]
    [InlineData("/€", """{"\u20ac":3}""", 3)]
    [InlineData("/😀", """{"\ud83d\uDE00":3}""", 3)]
    [InlineData("/a", """{"\ud83da":3,"\ud83d\u0061":3,"\u00zz":4,"\x61":5}""", -1)]
    [InlineData("/usage/total_tokens", """{"usage":[{"total_tokens":1}]}""", -1)]
    [InlineData("/a/1/b", """{"a":[{"b":1},{"b":2},{"b":3}]}""", 2)]
    [InlineData("/a/1", """{"a":[[5,6],7,[8]]}""", 7)]
    [InlineData("/0", "[5,6]", 5)]
    [InlineData("/a~1b/c~0d", """{"a/b":{"c~d":3}}""", 3)]
    [InlineData("/n", """{"n":1,"n":2}""", 2)]
    [InlineData("/n", """{"n":2,"n":1}""", 2)]
    [InlineData("/n", """{"n":2,"n":"1"}""", -1)]
    [InlineData("/n", """{"n":2,"n":null}""", -1)]
    [InlineData("/n", """{"n":2,"n":{}}""", -1)]
    [InlineData("/n", """{"n":2,"n":[7]}""", -1)]
    [InlineData("/n", """{"n":"x","n":2}""", 2)]
    [InlineData("/n", "not json at all", -1)]
    [InlineData("/n", "", -1)]
    public void A_number_is_found_where_the_pointer_says_and_nowhere_else(string pointer, string json, long expected) =>
        Assert.All(Enumerable.Range(1, 9), size => Assert.Equal(expected, Scan(pointer, Encoding.UTF8.GetBytes(json), size)));

    [Theory]
    [MemberData(nameof(Seeds))]
    public void In_any_document_and_however_it_is_cut_it_finds_what_a_full_parse_finds(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 200; i++)
        {
            var text = new StringBuilder();
            Write(text, random, depth: 0);
            var json = text.ToString();
            using var document = JsonDocument.Parse(json);
            foreach (var pointer in (string[])["/a", "/a/b", "/b/1/a", "/c/0", "/a/b/c"])
            {
                Assert.Equal(Find(document.RootElement, pointer[1..].Split('/')), Scan(pointer, Encoding.UTF8.GetBytes(json), random.Next(1, 20)));
            }
        }
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    [InlineData("\r")]
    public void Of_a_stream_of_events_the_last_that_has_it_counts(string lineEnd)
    {
        var stream = string.Join(lineEnd,
            "event: message_start", "data: {\"usage\":{\"total_tokens\":5}}", "", ": ping", "", "data: {\"delta\":\"data: {\\\"usage\\\"\"}", "",
            "event: data: {\"usage\":{\"total_tokens\":77}}", "data: {\"usage\":", "data: {\"total_tokens\":120}}", "id: 4", "", "data: [DONE]", "", "");
        for (var size = 1; size < 40; size++)
        {
            var scanner = new JsonCostScanner(JsonPointer.TryParse("/usage/total_tokens")!);
            var events = new EventCostScanner(scanner);
            foreach (var piece in Encoding.UTF8.GetBytes(stream).Chunk(size))
            {
                events.Read(piece);
            }

            Assert.Equal(120, scanner.Cost);
        }
    }

    [Fact]
    public void However_deep_what_is_beside_it_is_nested_it_is_found()
    {
        var decoy = "{\"x\":" + new string('[', 1_000_000) + "{\"n\":7}" + new string(']', 1_000_000);
        Assert.Equal(5, Scan("/n", Encoding.UTF8.GetBytes(decoy + ",\"n\":5}"), 100));
        Assert.Equal(5, Scan("/a/n", Encoding.UTF8.GetBytes("{\"a\":" + decoy + ",\"n\":5}}"), 100));
        Assert.Equal(-1, Scan("/n", Encoding.UTF8.GetBytes(decoy), 100));
    }

    [Fact]
    public void An_event_that_is_nested_too_deeply_hides_no_later_one()
    {
        var scanner = new JsonCostScanner(JsonPointer.TryParse("/n")!);
        new EventCostScanner(scanner).Read(Encoding.UTF8.GetBytes("data: {\"x\":" + new string('[', 1_000) + "\n\ndata: {\"n\":5}\n\ndata: {\"n\":null}\n\n"));
        Assert.Equal(5, scanner.Cost);
    }

    [Theory]
    [InlineData("application/JSON", "", """{"max_tokens":60}""")]
    [InlineData("application/vnd.api+Json;charset=UTF-8", "", """{"max_tokens":60}""")]
    [InlineData("application/json", "identity", """{"max_tokens":60}""")]
    [InlineData("application/json", "Identity", """{"max_tokens":60}""")]
    [InlineData("application/json", "", """{"max\u005ftokens":60}""")]
    [InlineData("application/json", "", """{"max_tokens":1,"messages":["PAD"],"max_tokens":60}""")]
    [InlineData("application/json", "", """{"x":DEEP,"max_tokens":60}""")]
    [InlineData("application/json", "", """{"max_tokens":60.00000000000000000000000000000000000000}""")]
    public async Task However_a_caller_writes_its_number_the_upstreams_reading_of_it_is_charged(string type, string coding, string content)
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(1, RequestJson: JsonPointer.TryParse("/max_tokens")));
        content = content.Replace("PAD", new string('x', 30_000), StringComparison.Ordinal).Replace("DEEP", new string('[', 200) + new string(']', 200), StringComparison.Ordinal);
        var call = Call(content);
        call.RequestHeaders.Set(KnownHeader.ContentType, type);
        if (coding.Length > 0)
        {
            call.RequestHeaders.Add("Content-Encoding", coding);
        }

        Assert.Equal((200, content), await SendAsync(policy, call));
        Assert.Equal((60L, UnreadCosts.None), (Used(store, policy), call.UnreadCosts));
    }

    [Theory]
    [InlineData("Application/JSON", "", 12)]
    [InlineData("application/json", "identity", 12)]
    [InlineData("application/json", "IDENTITY", 12)]
    [InlineData("application/json", "gzip", 40)]
    [InlineData("application/json", "identity, gzip", 40)]
    [InlineData("Text/Event-Stream", "", 12)]
    [InlineData(" text/event-stream;charset=utf-8", "", 12)]
    public async Task What_was_used_is_found_whatever_the_case_of_the_type_and_in_content_that_says_identity(string type, string coding, long used)
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(40, ResponseJson: JsonPointer.TryParse("/usage/total_tokens")));
        var call = Call("{}");
        await policy.InvokeAsync(call, exchange =>
        {
            var json = """{"usage":{"total_tokens":12}}""";
            exchange.ResponseHeaders.Add(KnownHeader.ContentType, type);
            if (coding.Length > 0)
            {
                exchange.ResponseHeaders.Add("Content-Encoding", coding);
            }

            exchange.ResponseBody = new Bytes(type.Contains("vent", StringComparison.Ordinal) ? $"data: {json}\n\n" : json, piece: 5);
            exchange.Answer(Outcome.Forwarded, 200);
            return default;
        });
        var buffer = new byte[64];
        while (await call.ResponseBody.ReadAsync(buffer, CancellationToken.None) > 0)
        {
        }

        call.EndAnswer(0);
        Assert.Equal(used, Used(store, policy));
    }

    [Theory]
    [InlineData("usage")]
    [InlineData("")]
    [InlineData("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a")]
    public void What_is_no_pointer_is_none(string text) => Assert.Null(JsonPointer.TryParse(text));

    [Fact]
    public async Task A_request_is_charged_what_its_content_says_and_is_sent_unchanged()
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(1, RequestJson: JsonPointer.TryParse("/max_tokens")));
        const string Content = """{"model":"m","max_tokens":30,"messages":["hello"]}""";

        Assert.Equal((200, Content), await SendAsync(policy, Call(Content)));
        Assert.Equal((200, Content), await SendAsync(policy, Call(Content)));
        Assert.Equal((200, Content), await SendAsync(policy, Call(Content)));
        Assert.Equal(429, (await SendAsync(policy, Call(Content))).Status);
        Assert.Equal(0, store.UnreadRequests);
    }

    [Fact]
    public async Task What_does_not_say_it_within_the_bound_costs_the_constant_and_the_record_says_so()
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(50, RequestJson: JsonPointer.TryParse("/max_tokens")));
        var content = $$"""{"text":"{{new string('x', 2 * CostedRequest.MaxBytes)}}","max_tokens":1}""";
        var call = Call(content);

        Assert.Equal((200, content), await SendAsync(policy, call));
        Assert.Equal((200, "no json"), await SendAsync(policy, Call("no json")));
        Assert.Equal(429, (await SendAsync(policy, Call("{}"))).Status);
        Assert.Equal((UnreadCosts.Request, 3L), (call.UnreadCosts, store.UnreadRequests));
    }

    [Fact]
    public async Task What_stands_behind_what_was_read_is_charged_when_it_has_passed()
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(5, RequestJson: JsonPointer.TryParse("/max_tokens")));
        var padding = new string('x', 2 * CostedRequest.MaxBytes);
        foreach (var (content, used) in new[] { ($$"""{"max_tokens":1,"text":"{{padding}}","max_tokens":60}""", 60), ($$"""{"text":"{{padding}}","max_tokens":30}""", 90), ($$"""{"text":"{{padding}}","max_tokens":1}""", 95) })
        {
            Assert.Equal((200, content), await SendAsync(policy, Call(content)));
            Assert.Equal(used, Used(store, policy));
        }
    }

    [Theory]
    [InlineData("""{"max_tokens":3}""", PolicyMode.Enforce, 200)]
    [InlineData("""{"max_tokens":"3"}""", PolicyMode.Enforce, 400)]
    [InlineData("""{"max_tokens":3,"max_tokens":null}""", PolicyMode.Enforce, 400)]
    [InlineData("""{"tokens":3}""", PolicyMode.Enforce, 400)]
    [InlineData("", PolicyMode.Enforce, 400)]
    [InlineData("""{"tokens":3}""", PolicyMode.Observe, 200)]
    public async Task What_does_not_say_what_it_costs_is_refused_where_it_must(string content, PolicyMode mode, int status)
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(50, RequestJson: JsonPointer.TryParse("/max_tokens"), OnUnread: OnUnread.Deny), mode);
        var call = Call(content);
        await SendAsync(policy, call);
        Assert.Equal((status, status == 400 ? "cost_unread" : null), (call.ResponseStatus, call.Rejection?.Code));
        Assert.Equal(mode == PolicyMode.Observe ? ["cost_unread"] : [], call.Observed.Select(decision => decision.Code));
    }

    [Fact]
    public async Task What_follows_the_document_is_not_waited_for()
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(1, RequestJson: JsonPointer.TryParse("/max_tokens")));
        var call = Call("{}");
        call.RequestBody = new Unfinished("""{"max_tokens":7,"text":"}"}""" + "\n");
        await policy.InvokeAsync(call, exchange =>
        {
            exchange.Answer(Outcome.Forwarded, 200);
            return default;
        }).AsTask().WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Equal((7, UnreadCosts.None), (Used(store, policy), call.UnreadCosts));
        call.EndAnswer(0);
    }

    [Fact]
    public async Task Content_that_breaks_is_not_refused_for_what_it_does_not_say()
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(1, RequestJson: JsonPointer.TryParse("/max_tokens"), OnUnread: OnUnread.Deny));
        var call = Call("{}");
        call.RequestBody = new Unfinished("""{"text":""", new Failure(FailureSource.Client, FailureKind.ClientBodyTooLarge, Retryable: false, "too large"));
        await policy.InvokeAsync(call, async exchange =>
        {
            var broken = await Assert.ThrowsAsync<MessageBodyException>(async () =>
            {
                while (await exchange.RequestBody.ReadAsync(new byte[100], CancellationToken.None) > 0)
                {
                }
            });
            exchange.Fail(broken.Failure);
        });
        Assert.Equal("client_body_too_large", call.Failure?.Code);
        call.EndAnswer(0);
    }

    [Fact]
    public async Task A_second_attempt_sends_the_content_from_its_beginning_whatever_the_first_has_read_of_it()
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(1, RequestJson: JsonPointer.TryParse("/max_tokens")));
        const string Content = """{"max_tokens":3,"messages":["hello"]}""";
        foreach (var readsBytes in (int[])[0, 4, 1_000])
        {
            var call = Call(Content);
            var own = call.RequestBody;
            await policy.InvokeAsync(call, async exchange =>
            {
                _ = readsBytes == 0 ? 0 : await exchange.RequestBody.ReadAsync(new byte[readsBytes], CancellationToken.None);
                exchange.Answer(Outcome.Forwarded, 503);
            });
            call.EndAnswer(0);
            call.ForgetAnswer();
            ((Bytes)own).Rewind();
            Assert.Same(own, call.RequestBody);
            Assert.Equal((200, Content), await SendAsync(policy, call));
        }
    }

    [Theory]
    [InlineData("application/json", """{"usage":{"total_tokens":12}}""", 12, UnreadCosts.None)]
    [InlineData("application/json; charset=utf-8", """{"usage":{}}""", 40, UnreadCosts.Answer)]
    [InlineData("text/event-stream", "data: {\"usage\":null}\n\ndata: {\"usage\":{\"total_tokens\":90}}\n\ndata: [DONE]\n\n", 90, UnreadCosts.None)]
    [InlineData("text/plain", """{"usage":{"total_tokens":12}}""", 40, UnreadCosts.Answer)]
    public async Task What_was_really_used_is_settled_when_the_answer_ends(string type, string content, long used, UnreadCosts unread)
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(40, ResponseJson: JsonPointer.TryParse("/usage/total_tokens")));
        var call = Call("{}");
        var got = new StringBuilder();
        await policy.InvokeAsync(call, exchange =>
        {
            exchange.ResponseHeaders.Add(KnownHeader.ContentType, type);
            exchange.ResponseBody = new Bytes(content, piece: 5);
            exchange.Answer(Outcome.Forwarded, 200);
            return default;
        });
        Assert.Equal(40, Used(store, policy));
        var buffer = new byte[64];
        while (await call.ResponseBody.ReadAsync(buffer, CancellationToken.None) is > 0 and var read)
        {
            got.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        call.EndAnswer(0);
        Assert.Equal(content, got.ToString());
        Assert.Equal((used, unread), (Used(store, policy), call.UnreadCosts));
        Assert.True(call.RequestHeaders.TryGet(KnownHeader.AcceptEncoding, out var coding) && coding.SequenceEqual("identity"u8));
    }

    [Theory]
    [InlineData("application/json", """{"usage":{"total_tokens":2}}""", 20, 40)]
    [InlineData("text/event-stream", "data: {\"usage\":{\"total_tokens\":2}}\n\ndata: {\"usage\":{\"total_tokens\":90}}\n\n", 40, 40)]
    [InlineData("text/event-stream", "data: {\"usage\":{\"total_tokens\":2}}\n\ndata: [DONE]\n\ndata: more\n\n", 60, 2)]
    [InlineData("text/event-stream", "data: {\"usage\":{\"total_tokens\":90}}\n\ndata: more\n\n", 45, 90)]
    public async Task What_an_answer_says_that_is_not_read_to_its_end_gives_nothing_back(string type, string content, int readBytes, long used)
    {
        using var store = new LimitStore(TimeProvider.System);
        var policy = Policy(store, new LimitCost(40, ResponseJson: JsonPointer.TryParse("/usage/total_tokens")));
        var call = Call("{}");
        await policy.InvokeAsync(call, exchange =>
        {
            exchange.ResponseHeaders.Add(KnownHeader.ContentType, type);
            exchange.ResponseBody = new Bytes(content, piece: 64);
            exchange.Answer(Outcome.Forwarded, 200);
            return default;
        });
        for (var left = readBytes; left > 0;)
        {
            left -= await call.ResponseBody.ReadAsync(new byte[left], CancellationToken.None);
        }

        call.EndAnswer(0);
        Assert.Equal(used, Used(store, policy));
    }

    private static long Used(LimitStore store, LimitsPolicy policy) => store.Cells.Used(policy.Limits[0].Algorithm, policy.Limits[0].OnlyKey, store.Time.GetTimestamp());

    private static async Task<(int Status, string Content)> SendAsync(LimitsPolicy policy, Exchange call)
    {
        var content = new StringBuilder();
        await policy.InvokeAsync(call, async exchange =>
        {
            var buffer = new byte[1_000];
            while (await exchange.RequestBody.ReadAsync(buffer, CancellationToken.None) is > 0 and var read)
            {
                content.Append(Encoding.UTF8.GetString(buffer, 0, read));
            }

            exchange.Answer(Outcome.Forwarded, 200);
        });
        call.EndAnswer(0);
        return (call.ResponseStatus, content.ToString());
    }

    private static LimitsPolicy Policy(LimitStore store, LimitCost cost, PolicyMode mode = PolicyMode.Enforce)
    {
        var settings = new LimitSettings { Name = "points", Kind = LimitKind.Rate, Unit = LimitUnit.Points, Amount = 100, Period = TimeSpan.FromHours(1), Text = "100 points/h", Cost = cost, Mode = mode };
        return new LimitsPolicy(PolicyStage.Attempt, [new Limit(settings, "api", store.Secret, store.Time)], store, queue: null, QueueSettings.Default);
    }

    private static Exchange Call(string content)
    {
        var call = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Method = "POST", RequestBody = new Bytes(content, piece: 700) };
        call.RequestHeaders.Add(KnownHeader.ContentType, "application/json");
        return call;
    }

    private static long Scan(string pointer, byte[] json, int size)
    {
        var scanner = new JsonCostScanner(JsonPointer.TryParse(pointer)!);
        foreach (var piece in json.Chunk(size))
        {
            scanner.Read(piece);
        }

        scanner.End();
        return scanner.Cost;
    }

    private static long Find(JsonElement element, string[] parts)
    {
        foreach (var part in parts)
        {
            if (element.ValueKind == JsonValueKind.Object && element.TryGetProperty(part, out var member))
            {
                element = member;
            }
            else if (element.ValueKind == JsonValueKind.Array && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < element.GetArrayLength())
            {
                element = element[index];
            }
            else
            {
                return -1;
            }
        }

        return element.ValueKind == JsonValueKind.Number ? element.GetInt64() : -1;
    }

    /// <summary>Any document whose members have different names.</summary>
    private static void Write(StringBuilder text, Random random, int depth)
    {
        var space = random.Next(4) == 0 ? " \n" : "";
        switch (depth == 0 ? random.Next(3) : depth > 4 ? random.Next(3, 7) : random.Next(7))
        {
            case 0 or 1:
                var names = ((string[])["a", "b", "c", "ab", "d\\\"", "0"]).OrderBy(_ => random.Next()).Take(random.Next(6)).ToList();
                text.Append('{').Append(space);
                for (var i = 0; i < names.Count; i++)
                {
                    text.Append(i > 0 ? "," : "").Append('"').Append(names[i]).Append('"').Append(space).Append(':').Append(space);
                    Write(text, random, depth + 1);
                }

                text.Append('}').Append(space);
                return;
            case 2:
                text.Append('[').Append(space);
                for (var i = random.Next(4); i > 0; i--)
                {
                    Write(text, random, depth + 1);
                    text.Append(i > 1 ? "," : "").Append(space);
                }

                text.Append(']');
                return;
            case 3:
                text.Append("\"te\\\\xt \\\" a\\\":1,{[\"");
                return;
            case 4:
                text.Append(random.Next(2) == 0 ? "true" : "null");
                return;
            default:
                text.Append(random.Next(1_000)).Append(space);
                return;
        }
    }

    /// <summary>Content that stops in the middle: it never comes any further, or breaks.</summary>
    private sealed class Unfinished(string begun, Failure? failure = null) : MessageBody
    {
        private readonly Bytes _begun = new(begun, piece: 1_000);
        private bool _isOver;

        public override long? Length => null;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var read = _isOver ? 0 : await _begun.ReadAsync(buffer, cancellationToken);
            _isOver = true;
            return read > 0 ? read : failure is not null ? throw new MessageBodyException(failure) : await new TaskCompletionSource<int>().Task.WaitAsync(cancellationToken);
        }
    }

    private sealed class Bytes(string content, int piece) : MessageBody
    {
        private readonly byte[] _content = Encoding.UTF8.GetBytes(content);
        private int _position;

        public override long? Length => _content.Length;

        public void Rewind() => _position = 0;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var count = Math.Min(Math.Min(piece, buffer.Length), _content.Length - _position);
            _content.AsSpan(_position, count).CopyTo(buffer.Span);
            _position += count;
            return new ValueTask<int>(count);
        }
    }
}
