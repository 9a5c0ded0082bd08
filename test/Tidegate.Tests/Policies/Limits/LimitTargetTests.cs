using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

/// <summary>Limits that are for some calls only: by path and method, with costs by method, and beside limits that are for all.</summary>
public sealed class LimitTargetTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_limit_with_a_path_counts_only_calls_to_it()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store, new LimitConfig { Rate = "1/m", Path = ["/v1/*/search"] });

        Assert.Equal("yes no yes yes", await PassAsync(policy, "GET /v1/charges/search", "GET /v1/refunds/search", "GET /v1/charges", "GET /v1/charges/search/x"));
    }

    [Fact]
    public async Task And_one_with_except_path_all_others()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store, new LimitConfig { Rate = "1/m", ExceptPath = ["/graphql", "/free/**"] });

        Assert.Equal("yes yes yes no", await PassAsync(policy, "POST /graphql", "POST /free/a", "POST /repos", "POST /users"));
    }

    [Fact]
    public async Task And_one_with_methods_only_those()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store, new LimitConfig { Rate = "1/m", Methods = ["POST", "PUT"], Path = ["/repos/**"] });

        Assert.Equal("yes yes no yes", await PassAsync(policy, "GET /repos/a", "POST /repos/a", "PUT /repos/b", "POST /user"));
    }

    [Fact]
    public async Task What_reads_and_what_writes_costs_what_by_method_says()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store, new LimitConfig { Rate = "7 points/m", Cost = new LimitCostConfig { Points = 5, ByMethod = [new LimitMethodCostConfig { Methods = ["GET", "HEAD"], Points = 1 }] } });

        Assert.Equal("yes yes yes no no", await PassAsync(policy, "GET /a", "DELETE /a", "HEAD /a", "GET /a", "POST /a"));
    }

    [Fact]
    public async Task Each_method_and_each_value_of_a_segment_has_a_count_of_its_own()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store, new LimitConfig { Rate = "1/m", Path = ["/*/{resource}/**"], Per = ["method", "path:resource"] });

        Assert.Equal("yes no yes yes yes", await PassAsync(policy, "GET /v1/charges/1", "GET /v1/charges", "POST /v1/charges", "GET /v1/refunds", "GET /"));
    }

    [Fact]
    public async Task Each_whole_path_has_a_count_of_its_own()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store, new LimitConfig { Rate = "1/m", Path = ["/api/a", "/api/b"], Per = ["path"] });

        Assert.Equal("yes yes no yes yes", await PassAsync(policy, "GET /api/a", "GET /api/b", "GET /api/a", "GET /api/c", "GET /api/c"));
    }

    [Fact]
    public async Task Where_several_limits_tell_callers_apart_by_the_same_those_for_some_calls_keep_counts_of_their_own()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store,
            new LimitConfig { Name = "search", Rate = "1/m", Path = ["/search"], Per = ["host"] },
            new LimitConfig { Name = "all", Rate = "3/m", Per = ["host"] },
            new LimitConfig { Name = "hour", Rate = "100/h", Per = ["host"] });

        Assert.Equal("yes no yes yes no", await PassAsync(policy, "GET /search", "GET /search", "GET /a", "GET /a", "GET /a"));
        Assert.Contains("search (1/m for /search per host): 1 of 1 used", policy.Explain(Call("GET /search")).Summary, StringComparison.Ordinal);
        Assert.Contains("search (1/m for /search): not for this call", policy.Explain(Call("GET /a")).Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_call_that_a_limit_is_not_for_holds_is_given_back_all_the_same()
    {
        using var store = new LimitStore(_time);
        var policy = Policy(store, new LimitConfig { Concurrency = 1 }, new LimitConfig { Concurrency = 1, Name = "search", Path = ["/search"] });

        Assert.Equal("yes yes yes", await PassAsync(policy, "GET /a", "GET /search", "GET /a"));
    }

    [Fact]
    public void Whether_a_limit_is_for_a_call_is_found_without_allocating()
    {
        using var store = new LimitStore(_time);
        var limit = Policy(store, new LimitConfig { Rate = "1/m", Path = ["/v1/{resource}/**", "/v2/*/search"], ExceptPath = ["/v1/graphql"], Methods = ["GET", "POST"] }).Limits[0];
        Exchange[] calls = [Call("GET /v1/charges/1"), Call("POST /v1/graphql"), Call("PUT /v2/a/search"), Call("GET /v2/a/search")];
        Count();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var found = Count();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(2_000, found);

        int Count()
        {
            var count = 0;
            for (var i = 0; i < 1_000; i++)
            {
                foreach (var call in calls)
                {
                    count += limit.IsFor(call) ? 1 : 0;
                }
            }

            return count;
        }
    }

    private static async Task<string> PassAsync(LimitsPolicy policy, params string[] calls)
    {
        var passed = new List<string>();
        foreach (var call in calls)
        {
            var exchange = Call(call);
            await policy.InvokeAsync(exchange, answered =>
            {
                answered.Answer(Outcome.Forwarded, 200);
                return default;
            });
            exchange.EndAnswer(downTo: 0);
            passed.Add(exchange.Rejection is null ? "yes" : "no");
        }

        return string.Join(' ', passed);
    }

    private static LimitsPolicy Policy(LimitStore store, params LimitConfig[] limits)
    {
        var problems = new List<ConfigProblem>();
        var positions = new ConfigPositions();
        var api = new ApiConfig { Name = "x", Direction = Direction.Egress, Hosts = ["a.test"], Learn = LearnMode.Off, Limits = limits };
        var policies = new LimitCompiler(positions, problems, store, new ProviderCompiler(positions, problems, new ProviderPacks()), []).Compile(api, null).ToList();
        Assert.Empty(problems);
        return (LimitsPolicy)Assert.Single(policies);
    }

    private static Exchange Call(string call) => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
        Client = null!,
        Method = call.Split(' ')[0],
        Target = new ExchangeTarget("https", "a.test", 443, call.Split(' ')[1], null),
    };
}
