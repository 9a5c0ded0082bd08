using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies.Webhook;
using Tidegate.Tests.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Webhook;

/// <summary>Who may tell the gateway that stored answers are no longer true.</summary>
public sealed class WebhookPolicyTests
{
    private const string Event = "{\"type\":\"product.updated\",\"data\":{\"object\":{\"id\":\"prod_1\"}}}";

    private static readonly byte[] Key = "whsec_0123456789abcdef"u8.ToArray();
    private static readonly byte[] OldKey = "whsec_fedcba9876543210"u8.ToArray();

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 25, 10, 0, 0, TimeSpan.Zero));
    private readonly WebhookMemory _memory;
    private readonly List<string> _applied = [];
    private readonly List<string> _forwarded = [];
    private int _status = 200;
    private bool _breaks;

    public WebhookPolicyTests() => _memory = new WebhookMemory(_time);

    [Fact]
    public async Task One_that_its_provider_signed_does_its_work_and_reaches_the_service_as_it_came()
    {
        var exchange = await SendAsync(Stripe(), Event, $"Stripe-Signature: {Signature(Event)}");
        Assert.Equal((Outcome.Forwarded, 200, 1), (exchange.Outcome, exchange.ResponseStatus, exchange.CachePurges));
        Assert.Equal([Event], _applied);
        Assert.Equal([Event], _forwarded);
    }

    [Theory]
    [InlineData("", "webhook_unsigned")]
    [InlineData("Stripe-Signature: ", "webhook_unsigned")]
    [InlineData("Stripe-Signature: t=1795600800", "webhook_unsigned")]
    [InlineData("Stripe-Signature: v1=@", "webhook_unsigned")]
    [InlineData("Stripe-Signature: t=x,v1=@", "webhook_unsigned")]
    [InlineData("Stripe-Signature: t=99999999999999999999,v1=@", "webhook_unsigned")]
    [InlineData("Stripe-Signature: t=99999999999,v1=@", "webhook_expired")]
    [InlineData("Stripe-Signature: t=1,t=1795600800,v1=@", "webhook_unsigned")]
    [InlineData("Stripe-Signature: t=1795600800,v1=abc", "webhook_unsigned")]
    [InlineData("Stripe-Signature: t=1795600800,v0=@", "webhook_unsigned")]
    [InlineData("Stripe-Signature: t=1795600800,v1=@\nStripe-Signature: t=1795600800,v1=@", "webhook_unsigned")]
    [InlineData("Stripe-Signature: t=1795600800,v1=0000000000000000000000000000000000000000000000000000000000000000", "webhook_signature_wrong")]
    [InlineData("Stripe-Signature: t=1795600801,v1=@", "webhook_signature_wrong")]
    [InlineData("Stripe-Signature: t=1795600000,v1=@", "webhook_expired")]
    [InlineData("Stripe-Signature: t=1795601200,v1=@", "webhook_expired")]
    public async Task What_is_not_signed_for_now_does_nothing_and_reaches_nobody(string fields, string code)
    {
        Assert.Equal(1795600800, _time.GetUtcNow().ToUnixTimeSeconds());
        var exchange = await SendAsync(Stripe(), Event, fields.Replace("@", Hash(Key, "1795600800." + Event), StringComparison.Ordinal));
        Assert.Equal((Outcome.Rejected, code), (exchange.Outcome, exchange.Rejection?.Code));
        Assert.Empty(_applied);
        Assert.Empty(_forwarded);
    }

    [Fact]
    public async Task Content_that_is_not_what_was_signed_is_refused()
    {
        Assert.Equal("webhook_signature_wrong", (await SendAsync(Stripe(), Event + " ", $"Stripe-Signature: {Signature(Event)}")).Rejection?.Code);
        Assert.Equal("webhook_signature_wrong", (await SendAsync(Stripe(), "", $"Stripe-Signature: {Signature(Event)}")).Rejection?.Code);
        Assert.Empty(_applied);
    }

    [Fact]
    public async Task While_a_key_is_changed_both_are_good_and_any_other_is_not()
    {
        Assert.Equal(Outcome.Forwarded, (await SendAsync(Stripe(), Event, $"Stripe-Signature: {Signature(Event, OldKey)}")).Outcome);
        Assert.Equal(Outcome.Forwarded, (await SendAsync(Stripe(), Event, $"Stripe-Signature: t={Now},v1={Hash("some other key 0123"u8.ToArray(), Now + "." + Event)},v1={Hash(Key, Now + "." + Event)}")).Outcome);
        Assert.Equal("webhook_signature_wrong", (await SendAsync(Stripe(), Event, $"Stripe-Signature: {Signature(Event, "some other key 0123"u8.ToArray())}")).Rejection?.Code);
    }

    [Fact]
    public async Task The_same_one_is_taken_once_unless_it_did_not_reach_the_service()
    {
        var field = $"Stripe-Signature: {Signature(Event)}";
        _status = 500;
        Assert.Equal(500, (await SendAsync(Stripe(), Event, field)).ResponseStatus);
        _status = 200;
        Assert.Equal(200, (await SendAsync(Stripe(), Event, field)).ResponseStatus);
        var again = await SendAsync(Stripe(), Event, field);
        Assert.Equal((Outcome.Rejected, 409, "webhook_replayed"), (again.Outcome, again.ResponseStatus, again.Rejection!.Code));
        Assert.Equal(2, _applied.Count);

        // Not even in the last moment in which its time is good.
        _time.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromMilliseconds(1));
        Assert.Equal("webhook_replayed", (await SendAsync(Stripe(), Event, field)).Rejection?.Code);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("webhook_expired", (await SendAsync(Stripe(), Event, field)).Rejection?.Code);
    }

    [Fact]
    public async Task What_is_too_large_is_refused_and_gives_back_what_it_held()
    {
        var settings = Stripe() with { MaxContentBytes = 10_000 };
        for (var i = 0; i < 10_000; i++)
        {
            Assert.Equal((413, "webhook_too_large"), await RefusedAsync(new string('x', 20_000)));
        }

        Assert.Equal(Outcome.Forwarded, (await SendAsync(settings, Event, $"Stripe-Signature: {Signature(Event)}")).Outcome);

        async Task<(int, string?)> RefusedAsync(string content)
        {
            var exchange = CacheBench.Request("POST", fields: $"Stripe-Signature: {Signature(Event)}");
            exchange.RequestBody = new Unannounced(content);
            await Policy(settings).InvokeAsync(exchange, _ => throw new InvalidOperationException("It was not to be passed on."));
            return (exchange.ResponseStatus, exchange.Rejection?.Code);
        }
    }

    [Fact]
    public async Task Content_that_comes_byte_by_byte_holds_no_more_than_it_is()
    {
        var waiting = new List<(Task Running, Dripping Body)>();
        for (var i = 0; i < 20; i++)
        {
            var exchange = CacheBench.Request("POST", fields: $"Stripe-Signature: {Signature(Event)}");
            var body = new Dripping(bytes: 6_000);
            exchange.RequestBody = body;
            waiting.Add((Policy(Stripe()).InvokeAsync(exchange, _ => default).AsTask(), body));
            Assert.Null(exchange.Rejection);
        }

        Assert.Equal(Outcome.Forwarded, (await SendAsync(Stripe(), Event, $"Stripe-Signature: {Signature(Event)}")).Outcome);
        foreach (var (running, body) in waiting)
        {
            body.End();
            await running;
        }
    }

    [Fact]
    public async Task One_client_that_never_ends_its_content_leaves_room_for_the_others()
    {
        // As much as it gets, and then what still fits beside that.
        var waiting = new List<(Task Running, Dripping Body)>();
        foreach (var bytes in (int[])[500_000, 100_000, 10_000, 1_000])
        {
            Exchange last;
            do
            {
                last = CacheBench.Request("POST", fields: $"Stripe-Signature: {Signature(Event)}");
                last.ClientAddress = IPAddress.Parse("192.0.2.1");
                var body = new Dripping(bytes, piece: 50_000);
                last.RequestBody = body;
                waiting.Add((Policy(Stripe()).InvokeAsync(last, _ => default).AsTask(), body));
            }
            while (last.Rejection is null && waiting.Count < 10_000);
            Assert.Equal("webhook_busy", last.Rejection?.Code);
        }

        var other = CacheBench.Request("POST", fields: $"Stripe-Signature: {Signature(Event)}", content: Event);
        other.ClientAddress = IPAddress.Parse("192.0.2.2");
        await Policy(Stripe()).InvokeAsync(other, passed =>
        {
            passed.Answer(Outcome.Forwarded, 200);
            return default;
        });
        Assert.Equal(200, other.ResponseStatus);
        foreach (var (running, body) in waiting)
        {
            body.End();
            await running;
        }

        Assert.Equal(Outcome.Forwarded, (await SendAsync(Stripe(), Event + " ", $"Stripe-Signature: {Signature(Event + " ")}")).Outcome);
    }

    [Fact]
    public async Task Content_of_the_largest_size_passes_and_one_byte_more_does_not()
    {
        var settings = Stripe() with { MaxContentBytes = WebhookSettings.LargestContentBytes };
        foreach (var more in (int[])[0, 1])
        {
            var content = new string('x', (int)WebhookSettings.LargestContentBytes + more);
            var exchange = CacheBench.Request("POST", fields: $"Stripe-Signature: {Signature(content)}");
            exchange.RequestBody = new Unannounced(content);
            await Policy(settings).InvokeAsync(exchange, passed =>
            {
                passed.Answer(Outcome.Forwarded, 200);
                return default;
            });
            Assert.Equal(more == 0 ? 200 : 413, exchange.ResponseStatus);
        }
    }

    [Fact]
    public async Task The_same_event_for_two_endpoints_reaches_both()
    {
        var field = $"Stripe-Signature: {Signature(Event)}";
        Assert.Equal(200, (await SendAsync(Stripe() with { Scope = "a" }, Event, field)).ResponseStatus);
        Assert.Equal(200, (await SendAsync(Stripe() with { Scope = "b" }, Event, field)).ResponseStatus);
        Assert.Equal(409, (await SendAsync(Stripe() with { Scope = "a" }, Event, field)).ResponseStatus);
        Assert.Equal(2, _applied.Count);
    }

    [Fact]
    public async Task Events_that_say_the_same_are_told_apart_by_their_delivery_and_never_leave_a_purge_out()
    {
        var settings = new WebhookSettings { Signature = WebhookSignature.Github, Header = "X-Hub-Signature-256", Prefix = "sha256=", Keys = [Key], DeliveryHeader = "X-GitHub-Delivery" };
        var field = $"X-Hub-Signature-256: sha256={Hash(Key, Event)}\nX-GitHub-Delivery: ";
        Assert.Equal(200, (await SendAsync(settings, Event, field + "1")).ResponseStatus);
        Assert.Equal(200, (await SendAsync(settings, Event, field + "2")).ResponseStatus);
        var again = await SendAsync(settings, Event, field + "1");
        Assert.Equal((409, 1, 3), (again.ResponseStatus, again.CachePurges, _applied.Count));
        Assert.Equal(200, (await SendAsync(settings with { AllowsReplays = true }, Event, field + "1")).ResponseStatus);
        Assert.Equal(3, _forwarded.Count);
    }

    [Fact]
    public async Task One_that_breaks_us_is_not_remembered()
    {
        var field = $"Stripe-Signature: {Signature(Event)}";
        _breaks = true;
        await Assert.ThrowsAsync<InvalidOperationException>(() => SendAsync(Stripe(), Event, field));
        _breaks = false;
        Assert.Equal(200, (await SendAsync(Stripe(), Event, field)).ResponseStatus);
        Assert.Equal("webhook_replayed", (await SendAsync(Stripe(), Event, field)).Rejection?.Code);
    }

    [Fact]
    public async Task Content_that_breaks_is_the_clients_failure_and_does_nothing()
    {
        var exchange = CacheBench.Request("POST", fields: $"Stripe-Signature: {Signature(Event)}");
        exchange.RequestBody = new Broken();
        await Policy(Stripe()).InvokeAsync(exchange, _ => throw new InvalidOperationException("It was not to be passed on."));
        Assert.Equal((Outcome.Failed, FailureSource.Client), (exchange.Outcome, exchange.Failure?.Source));
        Assert.Empty(_applied);
    }

    [Fact]
    public async Task Githubs_published_example_is_right()
    {
        var settings = new WebhookSettings { Signature = WebhookSignature.Github, Header = "X-Hub-Signature-256", Prefix = "sha256=", Keys = [Encoding.UTF8.GetBytes("It's a Secret to Everybody")] };
        const string Right = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        Assert.Equal(Outcome.Forwarded, (await SendAsync(settings, "Hello, World!", "X-Hub-Signature-256: sha256=" + Right)).Outcome);
        Assert.Equal("webhook_unsigned", (await SendAsync(settings, "Hello, World!", "X-Hub-Signature-256: " + Right)).Rejection?.Code);
        Assert.Equal("webhook_signature_wrong", (await SendAsync(settings, "Hello, World?", "X-Hub-Signature-256: sha256=" + Right)).Rejection?.Code);
    }

    [Fact]
    public async Task The_standards_published_example_is_right_at_its_time()
    {
        var time = new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(1614265330));
        var settings = new WebhookSettings { Signature = WebhookSignature.Standard, Header = "webhook-signature", Keys = [Convert.FromBase64String("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")] };
        const string Id = "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\n";
        Assert.Equal(Outcome.Forwarded, (await SendAsync(settings, "{\"test\": 2432232314}", Id + "webhook-signature: v2,x v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,a", time)).Outcome);
        Assert.Equal("webhook_signature_wrong", (await SendAsync(settings, "{\"test\": 2432232314}", Id.Replace("msg_p", "msg_q", StringComparison.Ordinal) + "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", time)).Rejection?.Code);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_field_of_ones_own_may_be_hexadecimal_or_base64(bool isHex)
    {
        var settings = new WebhookSettings { Signature = isHex ? WebhookSignature.HmacHex : WebhookSignature.HmacBase64, Header = "X-Shop-Hmac", Keys = [Key] };
        var hash = HMACSHA256.HashData(Key, Encoding.UTF8.GetBytes(Event));
        Assert.Equal(Outcome.Forwarded, (await SendAsync(settings, Event, "X-Shop-Hmac: " + (isHex ? Convert.ToHexString(hash) : Convert.ToBase64String(hash)))).Outcome);
        Assert.Equal("webhook_unsigned", (await SendAsync(settings, Event, "X-Shop-Hmac: " + (isHex ? Convert.ToBase64String(hash) : Convert.ToHexString(hash)))).Rejection?.Code);
    }

    [Fact]
    public void Explain_says_what_it_needs_and_what_it_does()
    {
        var explained = Policy(Stripe()).Explain(CacheBench.Request("POST"));
        Assert.Equal(("must be signed (Stripe-Signature); then purges", "webhook_unsigned"), (explained.Summary, explained.Rejection?.Code));
    }

    private string Now => _time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);

    private static string Hash(byte[] key, string text) => Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)));

    private static WebhookSettings Stripe() => new() { Signature = WebhookSignature.Stripe, Header = "Stripe-Signature", Keys = [Key, OldKey] };

    private string Signature(string content, byte[]? key = null) => $"t={Now},v1={Hash(key ?? Key, Now + "." + content)}";

    private WebhookPolicy Policy(WebhookSettings settings, TimeProvider? time = null) => new(
        settings,
        _memory,
        time ?? _time,
        content =>
        {
            if (_breaks)
            {
                throw new InvalidOperationException("bug");
            }

            _applied.Add(Encoding.UTF8.GetString(content.Span));
            return 1;
        },
        "purges");

    private async Task<Exchange> SendAsync(WebhookSettings settings, string content, string fields, TimeProvider? time = null)
    {
        var exchange = CacheBench.Request("POST", fields: fields, content: content);
        await Policy(settings, time).InvokeAsync(exchange, async passed =>
        {
            var buffer = new byte[1000];
            var length = 0;
            while (await passed.RequestBody.ReadAsync(buffer.AsMemory(length), CancellationToken.None) is > 0 and var read)
            {
                length += read;
            }

            _forwarded.Add(Encoding.UTF8.GetString(buffer, 0, length));
            passed.Answer(Outcome.Forwarded, _status);
        });
        return exchange;
    }

    private sealed class Unannounced(string text) : MessageBody
    {
        private readonly CacheBench.TextBody _inner = new(text);

        public override long? Length => null;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => _inner.ReadAsync(buffer, cancellationToken);
    }

    /// <summary>So many bytes, and then nothing before the test says that it is over.</summary>
    private sealed class Dripping(int bytes, int piece = 1) : MessageBody
    {
        private readonly TaskCompletionSource<int> _end = new();
        private int _left = bytes;

        public override long? Length => null;

        public void End() => _end.TrySetResult(0);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var read = Math.Min(Math.Min(piece, buffer.Length), _left);
            _left -= read;
            return read == 0 ? new ValueTask<int>(_end.Task) : new ValueTask<int>(read);
        }
    }

    private sealed class Broken : MessageBody
    {
        public override long? Length => 100;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            throw new MessageBodyException(new Failure(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "Cut short."));
    }
}
