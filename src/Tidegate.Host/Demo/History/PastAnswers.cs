using System.Text;
using Tidegate.Exchanges;
using Tidegate.Host.Demo.Apis;
using Tidegate.Host.Demo.Callers;
using Tidegate.Policies.Limits.Prices;

namespace Tidegate.Host.Demo.History;

/// <summary>Answers as the simulated APIs give them, and what the gateway makes of them: cached, queued, tried again, replaced. What they cost is metered by the gateway's own policy.</summary>
internal sealed class PastAnswers
{
    // As the demo's payments limit has it: 40 in five seconds.
    private const int PaymentsPerWindow = 40;
    private const int WindowSeconds = 5;

    // Between what a limit lets pass and what still fits into its queue.
    private const int PaymentsQueued = 30;

    private readonly Dictionary<string, DateTimeOffset> _stored = [];
    private readonly Exchange _metered = new() { Connection = new ClientConnection { PeerAddress = System.Net.IPAddress.Loopback }, Client = null! };
    private readonly byte[] _buffer = new byte[256];
    private long _window;
    private int _payments;

    public PastAnswer Of(Exchange exchange, RoutePlan plan, DemoCall call, DateTimeOffset started, TimeOnly clock, DemoRandom random) => exchange.ApiName switch
    {
        "catalogue" => Catalogue(exchange, started, clock, random),
        "hooks" => Hooks(exchange, call, started, random),
        "payments" => Payments(exchange, plan, started, random),
        "shipping" => Shipping(exchange, plan, clock, random),
        "assistant" => Assistant(exchange, plan, call, clock, random),
        _ => Orders(exchange, random),
    };

    private PastAnswer Catalogue(Exchange exchange, DateTimeOffset started, TimeOnly clock, DemoRandom random)
    {
        var isFirstDown = random.Chance(CatalogueApi.FirstRegionDown[clock]);
        var (attempts, region) = isFirstDown ? (2, 1) : (1, 0);
        var key = exchange.Target.PathAndQuery;
        if (exchange.Target.Path.Split('/') is ["", "v1", "products", var number] && int.TryParse(number, out var id) && id > CatalogueApi.Products)
        {
            return new PastAnswer(404, Outcome.Forwarded, random.Duration(6)) { Cache = CacheResult.Miss, Bytes = 31, Attempts = attempts, Region = region };
        }

        if (_stored.TryGetValue(key, out var until) && until > started)
        {
            return new PastAnswer(200, Outcome.ServedFromCache, random.Duration(0.12)) { Cache = CacheResult.Hit, Attempts = 0, Bytes = exchange.Target.Query is null ? 120 : 2_100 };
        }

        var isValidated = until != default && random.Chance(0.8);
        _stored[key] = started.AddSeconds(exchange.Target.Query is null ? 7_200 : 10);
        return new PastAnswer(200, isValidated ? Outcome.ServedFromCache : Outcome.Forwarded, random.Duration(isValidated ? 9 : 36)) { Cache = isValidated ? CacheResult.HitValidated : CacheResult.Miss, Bytes = exchange.Target.Query is null ? 120 : 2_100, Attempts = attempts, Region = region };
    }

    /// <summary>What is signed drops what is stored of its product; what is not is refused.</summary>
    private PastAnswer Hooks(Exchange exchange, DemoCall call, DateTimeOffset started, DemoRandom random)
    {
        if (!CatalogueHooks.IsSigned(call))
        {
            return PastAnswer.Refused(403, "webhook", "webhook_signature_wrong", random);
        }

        var product = call.Content![(call.Content!.LastIndexOf(':') + 1)..^1];
        if (_stored.ContainsKey($"/v1/products/{product}"))
        {
            _stored[$"/v1/products/{product}"] = started;
        }

        return new PastAnswer(204, Outcome.Forwarded, random.Duration(9)) { Bytes = 0 };
    }

    private PastAnswer Payments(Exchange exchange, RoutePlan plan, DateTimeOffset started, DemoRandom random)
    {
        var window = started.ToUnixTimeSeconds() / WindowSeconds;
        _payments = window == _window ? _payments + 1 : 1;
        _window = window;
        var over = _payments - PaymentsPerWindow;
        if (over > PaymentsQueued)
        {
            return PastAnswer.Refused(429, "limits", "rate_limited", random);
        }

        var queue = over > 0 ? TimeSpan.FromMilliseconds(120 * over) + random.Duration(80) : TimeSpan.Zero;
        var status = exchange.Method == "GET" ? 200 : exchange.EndpointName == "refunds" ? 200 : random.Chance(0.03) ? 402 : 201;
        return Sent(plan, new PastAnswer(status, Outcome.Forwarded, random.Duration(exchange.Method == "GET" ? 26 : 72)) { Queue = queue, Bytes = 90 });
    }

    private PastAnswer Shipping(Exchange exchange, RoutePlan plan, TimeOnly clock, DemoRandom random)
    {
        var down = ShippingApi.Down[clock];
        var bytes = exchange.EndpointName == "labels" ? 18_000 : 120;
        if (!random.Chance(down))
        {
            var isSlow = down > 0 || random.Chance(0.025);
            return Sent(plan, new PastAnswer(exchange.Method == "POST" ? 201 : 200, Outcome.Forwarded, random.Duration(isSlow ? 700 : 112, 0.4)) { Bytes = bytes });
        }

        var isOpen = random.Chance(0.7);
        if (exchange.EndpointName == "rates")
        {
            var instead = new PastAnswer(200, Outcome.ServedFromFallback, random.Duration(isOpen ? 0.2 : 40)) { Reason = isOpen ? "circuit_breaker" : "", Code = isOpen ? "circuit_open" : "unwanted_status", Attempts = isOpen ? 0 : 2, Bytes = 54 };
            return isOpen ? instead : Sent(plan, instead, status: 503);
        }

        return isOpen ? PastAnswer.Refused(503, "circuit_breaker", "circuit_open", random) : Sent(plan, new PastAnswer(503, Outcome.Forwarded, random.Duration(45)) { Attempts = 2, Bytes = 80 });
    }

    private PastAnswer Assistant(Exchange exchange, RoutePlan plan, DemoCall call, TimeOnly clock, DemoRandom random)
    {
        if (exchange.Method == "GET")
        {
            return Sent(plan, new PastAnswer(200, Outcome.Forwarded, random.Duration(12)) { Bytes = 60 });
        }

        // Half of what it would refuse is not sent.
        if (random.Chance(AssistantApi.Busy[clock]))
        {
            return random.Chance(0.5) ? PastAnswer.Refused(503, "adaptive_throttle", "throttled_adaptively", random) : Sent(plan, new PastAnswer(503, Outcome.Forwarded, random.Duration(20)) { Bytes = 34 });
        }

        if (random.Chance(0.02))
        {
            return Sent(plan, new PastAnswer(529, Outcome.Forwarded, random.Duration(30)) { Attempts = 2, Bytes = 40 });
        }

        var isLarge = call.Content?.Contains("tern-large", StringComparison.Ordinal) == true;
        var (input, output) = (40 + random.Below(900), 20 + random.Below(isLarge ? 90 : 40));
        var took = random.Duration(isLarge ? 450 : 180) + TimeSpan.FromMilliseconds(output * (isLarge ? 47 : 26));
        if (took > call.Patience)
        {
            // Who stops reading never learns what it used.
            return Sent(plan, new PastAnswer(200, Outcome.Failed, call.Patience) { Reason = "client", Code = "client_aborted", Bytes = 30 * output / 2 });
        }

        return Sent(plan, new PastAnswer(200, Outcome.Forwarded, took) { Bytes = 45 * output }, usage: $$$"""{"usage":{"prompt_tokens":{{{input}}},"completion_tokens":{{{output}}}}}""");
    }

    private static PastAnswer Orders(Exchange exchange, DemoRandom random)
    {
        var isPlaced = exchange.EndpointName == "place";
        var status = isPlaced ? random.Chance(0.02) ? 409 : 201 : exchange.Target.Path.Length > "/orders".Length && random.Chance(0.15) ? 404 : random.Chance(0.004) ? 500 : 200;
        return new PastAnswer(status, Outcome.Forwarded, random.Duration(isPlaced ? 190 : 9)) { Bytes = status == 200 ? 640 : 120 };
    }

    /// <summary>With what the attempts cost, by the prices of the demo's configuration.</summary>
    private PastAnswer Sent(RoutePlan plan, PastAnswer answer, int? status = null, string? usage = null)
    {
        if (plan.Pipeline.Policies.OfType<CostPolicy>().FirstOrDefault() is not { } policy)
        {
            return answer;
        }

        _metered.Reset();
        for (var attempt = 0; attempt < answer.Attempts; attempt++)
        {
            _metered.ForgetAnswer();
            Completed(policy.InvokeAsync(_metered, exchange =>
            {
                exchange.Attempts++;
                exchange.WasSent = true;
                if (usage is not null)
                {
                    exchange.ResponseHeaders.Add(KnownHeader.ContentType, "application/json");
                    exchange.ResponseBody = new BegunBody(Encoding.ASCII.GetBytes(usage), null);
                }

                exchange.Answer(Outcome.Forwarded, status ?? answer.Status);
                return default;
            }));

            // All of it is in memory: nothing is waited for.
            while (Completed(_metered.ResponseBody.ReadAsync(_buffer, CancellationToken.None)) > 0)
            {
            }

            _metered.EndAnswer(downTo: 0);
        }

        return answer with { Cost = _metered.Cost };
    }

    private static void Completed(ValueTask task)
    {
        if (!task.IsCompleted)
        {
            throw new InvalidOperationException("An answer that is there already was waited for.");
        }

        task.GetAwaiter().GetResult();
    }

    private static int Completed(ValueTask<int> task) =>
        task.IsCompleted ? task.GetAwaiter().GetResult() : throw new InvalidOperationException("Content that is there already was waited for.");
}
