using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Credential;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Tests.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Credential;

/// <summary>Several keys, each with a limit of its own, that calls are charged to by what their content says.</summary>
public sealed class KeyPoolContentTests : IDisposable
{
    private const string Content = """{"model":"m","max_tokens":60,"messages":["hello"]}""";

    private readonly LimitStore _store = new(TimeProvider.System);
    private readonly KeyHealths _healths = new(TimeProvider.System);
    private readonly KeyPoolPolicy _pool;
    private readonly LimitsPolicy _limits;

    public KeyPoolContentTests()
    {
        var settings = new LimitSettings
        {
            Name = "points",
            Kind = LimitKind.Rate,
            Unit = LimitUnit.Points,
            Amount = 100,
            Period = TimeSpan.FromHours(1),
            Text = "100 points/h",
            Per = [new KeyPart(KeyPartKind.Credential)],
            Cost = new LimitCost(1, RequestJson: JsonPointer.TryParse("/max_tokens")),
        };
        _limits = new LimitsPolicy(PolicyStage.Attempt, [new Limit(settings, "api", _store.Secret, _store.Time)], _store, queue: null, QueueSettings.Default);
        _pool = new KeyPoolPolicy(
            new CredentialField("Authorization", requiresTls: false),
            new KeyPoolSettings { Keys = [Key("a"), Key("b"), Key("c")], Choice = KeyChoice.Ordered },
            TimeProvider.System);
    }

    public void Dispose() => _store.Dispose();

    [Fact]
    public async Task A_key_without_room_is_passed_over_and_the_next_sends_the_content_whole_and_is_charged_for_it()
    {
        foreach (var key in (string[])["a", "b", "c"])
        {
            var call = await SendAsync();
            Assert.Equal((200, key, Content), (call.Exchange.ResponseStatus, call.Exchange.ProviderKey?.Name, call.Sent));
            Assert.Equal(60, _store.Cells.Used(_limits.Limits[0].Algorithm, _limits.Limits[0].KeyOf(call.Exchange), _store.Time.GetTimestamp()));
            Assert.Equal(UnreadCosts.None, call.Exchange.UnreadCosts);
            call.Exchange.EndAnswer(0);
        }

        Assert.Equal(429, (await SendAsync()).Exchange.ResponseStatus);
    }

    private PooledKey Key(string name) => new(Encoding.ASCII.GetBytes("value of " + name), 1, _healths.Keep(_healths.Of("api", new ProviderKey(name, name[0]))));

    private async Task<(Exchange Exchange, string Sent)> SendAsync()
    {
        var exchange = CacheBench.Request("POST", fields: "Content-Type: application/json", content: Content);
        var sent = "";
        await _pool.InvokeAsync(exchange, asked => _limits.InvokeAsync(asked, async passed =>
        {
            var buffer = new byte[1000];
            var length = 0;
            while (await passed.RequestBody.ReadAsync(buffer.AsMemory(length), CancellationToken.None) is > 0 and var read)
            {
                length += read;
            }

            sent = Encoding.UTF8.GetString(buffer, 0, length);
            passed.Answer(Outcome.Forwarded, 200);
        }));
        return (exchange, sent);
    }
}
