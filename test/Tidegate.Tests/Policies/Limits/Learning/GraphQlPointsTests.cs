using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits.Learning;

/// <summary>
/// Shopify's GraphQL: a query is refused, with status 200, when what it may cost is not there; it is charged that, and what it did not cost is given back. The answers' content
/// tells of it, and the shipped pack of where.
/// </summary>
public sealed class GraphQlPointsTests
{
    private const string GraphQl = "/admin/api/2026-01/graphql.json";
    private const string Rest = "/admin/api/2026-01/products.json";
    private const int Maximum = 2_000;
    private const int RestoreRate = 100;

    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Start);
    private double _level = Maximum;
    private DateTimeOffset _restored = Start;

    [Fact]
    public async Task Under_ten_times_the_load_for_an_hour_no_query_is_refused_and_nearly_all_points_are_used()
    {
        int[] requested = [12, 52, 102];
        var step = TimeSpan.FromMilliseconds(25);
        using var store = new LimitStore(_time);
        var policy = Policy(store);
        var random = new Random(3);
        var answers = new PriorityQueue<(Exchange Exchange, TaskCompletionSource Done, int Cost, int Refund), long>();
        var (violations, used) = (0, 0.0);
        while (_time.GetUtcNow() < Start.AddHours(1))
        {
            // 35 points on average, so this is some thousand points a second.
            if (random.Next(10) < 7)
            {
                var cost = requested[random.Next(requested.Length)];
                var exchange = Call(GraphQl);
                var call = policy.InvokeAsync(exchange, passed =>
                {
                    var done = new TaskCompletionSource();
                    if (!TryCharge(cost))
                    {
                        violations++;
                        Answer(passed, """{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],""" + Cost(cost, null));
                        return default;
                    }

                    answers.Enqueue((passed, done, cost, random.Next(cost / 2)), _time.GetUtcNow().AddMilliseconds(random.Next(40, 200)).Ticks);
                    return new ValueTask(done.Task);
                });
                if (exchange.Rejection is not null)
                {
                    await call;
                }
            }

            _time.Advance(step);
            while (answers.TryPeek(out var answer, out var at) && at <= _time.GetUtcNow().Ticks)
            {
                answers.Dequeue();
                Restore();
                _level = Math.Min(Maximum, _level + answer.Refund);
                used += answer.Cost - answer.Refund;
                Answer(answer.Exchange, """{"data":{"products":{"nodes":[{"title":"a \"fine\" thing"}]}},""" + Cost(answer.Cost, answer.Cost - answer.Refund));
                answer.Done.SetResult();
                await ReadAsync(answer.Exchange);
                answer.Exchange.EndAnswer(downTo: 0);
            }
        }

        Assert.Equal(0, violations);
        Assert.InRange(used / (Maximum + (RestoreRate * 3_600.0)), 0.97, 1);
    }

    [Fact]
    public async Task A_query_that_was_throttled_is_a_throttle_although_its_status_is_200_and_its_content_reaches_the_client_whole()
    {
        using var store = new LimitStore(_time);
        var exchange = Call(GraphQl);
        var content = """{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],""" + Cost(500, null);
        await Policy(store).InvokeAsync(exchange, passed =>
        {
            Answer(passed, content);
            return default;
        });

        Assert.Equal((ProviderSignal.Throttle, 200), (exchange.Signal, exchange.ResponseStatus));
        Assert.Equal(content, await ReadAsync(exchange));
        Assert.Equal("identity", Encoding.ASCII.GetString(exchange.RequestHeaders.TryGet(KnownHeader.AcceptEncoding, out var coding) ? coding : default));
    }

    [Fact]
    public async Task Points_and_calls_are_two_counts()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store);
        _level = 3;
        Assert.True(await PassesAsync(policy, GraphQl, """{"data":{},""" + Cost(10, 10)));

        // Three points are left, and a query may cost ten: in a tenth of a second there are as many.
        Assert.False(await PassesAsync(policy, GraphQl, ""));
        Assert.True(await PassesAsync(policy, Rest, "{}"));
        _time.Advance(TimeSpan.FromMilliseconds(60));
        Assert.False(await PassesAsync(policy, GraphQl, ""));
        _time.Advance(TimeSpan.FromMilliseconds(20));
        Assert.True(await PassesAsync(policy, GraphQl, "{}"));
    }

    [Theory]
    [InlineData("""{"data":{},"extensions":{"cost":{"throttleStatus":{"maximumAvailable":-5,"currentlyAvailable":0,"restoreRate":0}}}}""")]
    [InlineData("""{"data":{},"extensions":{"cost":{"throttleStatus":{"maximumAvailable":"1e99","currentlyAvailable":[],"restoreRate":null}}}}""")]
    [InlineData("""{"data":{},"extensions":{"cost":{"requestedQueryCost":1e300,"throttleStatus":{"maximumAvailable":1000,"currentlyAvailable":"none"}}}}""")]
    [InlineData("""{"data":""")]
    public async Task Garbage_says_nothing_and_stops_nobody(string content)
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store);
        for (var i = 0; i < 50; i++)
        {
            Assert.True(await PassesAsync(policy, GraphQl, content));
        }
    }

    [Fact]
    public async Task Queries_that_are_under_way_take_nothing_from_the_window_of_other_calls_that_becomes_known_meanwhile()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store);
        var answered = new TaskCompletionSource();
        var queries = Enumerable.Range(0, 60).Select(_ => Call(GraphQl)).ToList();
        var underWay = queries.Select(query => policy.InvokeAsync(query, async passed =>
        {
            await answered.Task;
            Answer(passed, """{"data":{},""" + Cost(10, 10));
        }).AsTask()).ToList();
        Assert.True(await PassesAsync(policy, Rest, "{}", "1/40"));
        answered.SetResult();
        await Task.WhenAll(underWay);
        foreach (var query in queries)
        {
            await ReadAsync(query);
            query.EndAnswer(downTo: 0);
        }

        for (var i = 2; i < 30; i++)
        {
            Assert.True(await PassesAsync(policy, Rest, "{}", $"{i}/40"), $"{i} of 40");
        }
    }

    private static LimitsPolicy Policy(LimitStore store)
    {
        var problems = new List<ConfigProblem>();
        var positions = new ConfigPositions();
        var api = new ApiConfig { Name = "shop", Direction = Direction.Egress, Hosts = ["acme.myshopify.com"] };
        var policies = new LimitCompiler(positions, problems, store, new ProviderCompiler(positions, problems, new ProviderPacks()), []).Compile(api, null).ToList();
        Assert.Empty(problems);
        return (LimitsPolicy)Assert.Single(policies);
    }

    private static async Task<bool> PassesAsync(LimitsPolicy policy, string path, string content, string usedOfLimit = "")
    {
        var exchange = Call(path);
        await policy.InvokeAsync(exchange, passed =>
        {
            Answer(passed, content);
            if (usedOfLimit.Length > 0)
            {
                passed.ResponseHeaders.Add("X-Shopify-Shop-Api-Call-Limit", usedOfLimit);
            }

            return default;
        });
        if (exchange.Rejection is not null)
        {
            return false;
        }

        await ReadAsync(exchange);
        exchange.EndAnswer(downTo: 0);
        return true;
    }

    private static void Answer(Exchange exchange, string content)
    {
        exchange.ResponseHeaders.Add(KnownHeader.ContentType, "application/json; charset=utf-8");
        exchange.ResponseBody = new BegunBody(Encoding.UTF8.GetBytes(content), rest: null);
        exchange.Answer(Outcome.Forwarded, 200);
    }

    private static async Task<string> ReadAsync(Exchange exchange)
    {
        // In small pieces, so that numbers are cut.
        var content = new List<byte>();
        var buffer = new byte[7];
        while (await exchange.ResponseBody.ReadAsync(buffer, TestContext.Current.CancellationToken) is > 0 and var read)
        {
            content.AddRange(buffer[..read]);
        }

        return Encoding.UTF8.GetString([.. content]);
    }

    private string Cost(int requested, int? actual) =>
        $"\"extensions\":{{\"cost\":{{\"requestedQueryCost\":{requested},\"actualQueryCost\":{actual?.ToString(CultureInfo.InvariantCulture) ?? "null"},"
        + $"\"throttleStatus\":{{\"maximumAvailable\":{Maximum}.0,\"currentlyAvailable\":{(int)_level},\"restoreRate\":{RestoreRate}.0}}}}}}}}";

    private bool TryCharge(int requested)
    {
        Restore();
        if (_level < requested)
        {
            return false;
        }

        _level -= requested;
        return true;
    }

    private void Restore()
    {
        _level = Math.Min(Maximum, _level + (RestoreRate * (_time.GetUtcNow() - _restored).TotalSeconds));
        _restored = _time.GetUtcNow();
    }

    private static Exchange Call(string path) => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
        Client = null!,
        Method = "POST",
        Target = new ExchangeTarget("https", "acme.myshopify.com", 443, path, null),
    };
}
