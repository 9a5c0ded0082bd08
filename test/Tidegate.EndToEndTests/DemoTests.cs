using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Tidegate.Exchanges;
using Tidegate.Host.Commands;
using Tidegate.Host.Demo;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>The demo runs, shows what it promises, and leaves nothing behind.</summary>
public sealed class DemoTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task All_six_apis_answer_and_fail_as_intended()
    {
        var records = new RecordedSink();
        await using var log = new StringWriter();

        // In the campaign, and a few seconds before shipping goes down.
        var demo = await DemoProcess.StartAsync(new DemoSettings { EgressPort = 0, IngressPort = 0, AdminPort = 0, Start = new TimeOnly(9, 31) }, TimeProvider.System, log, [records], Cancellation);
        var directory = Path.GetDirectoryName(demo.Configuration)!;
        demo.StartCallers();
        try
        {
            foreach (var api in (string[])["payments", "shipping", "catalogue", "assistant", "orders-api", "hooks"])
            {
                await records.WaitAsync($"{api} answers", record => record.Api == api && record is { Outcome: Outcome.Forwarded, Status: 200 or 201 or 204 });
            }

            await records.WaitAsync("payments wait until the provider has room", record => record is { Api: "payments", Outcome: Outcome.Forwarded, Status: 200 or 201 } && record.Queue > TimeSpan.FromMilliseconds(100));
            await records.WaitAsync("shipping is down", record => record is { Api: "shipping", Outcome: Outcome.Forwarded, Status: 503 });
            await records.WaitAsync("shipping is left alone", record => record is { Api: "shipping", Outcome: Outcome.Rejected, Code: "circuit_open" });
            await records.WaitAsync("the catalogue has not changed", record => record is { Api: "catalogue", Status: 304 });
            await records.WaitAsync("the catalogue is not asked twice", record => record is { Api: "catalogue", Outcome: Outcome.ServedFromCache, Status: 200 });
            await records.WaitAsync("the catalogue's first region is down and nobody notices", record => record is { Api: "catalogue", Status: 200, Attempts: > 1 } && record.Destination.EndsWith($":{demo.ApiPorts["catalogue-us"]}", StringComparison.Ordinal));
            await records.WaitAsync("whoever only pretends to be the catalogue is refused", record => record is { Api: "hooks", Code: "webhook_signature_wrong", Status: 403 });
            await records.WaitForAsync("a product that has changed is asked for anew, though it was stored", seen =>
                seen.Any(changed => changed is { Api: "hooks", Status: 204 }
                    && seen.Any(record => record is { Api: "catalogue", Endpoint: "product", Outcome: Outcome.ServedFromCache } && record.Started < changed.Started
                        && seen.Any(later => later is { Api: "catalogue", Outcome: Outcome.Forwarded, Status: 200 } && later.Path == record.Path && later.Started > changed.Started))));
            await records.WaitAsync("what storing would bring is found out", record => record is { Api: "shipping", Endpoint: "tracking", Cache: CacheResult.WouldHit, Outcome: Outcome.Forwarded });
            await records.WaitAsync("tokens stream", record => record is { Api: "assistant", Method: "POST", Scheme: "https", Status: 200, ResponseBytes: > 1_000 } && record.Total > 5 * record.TimeToFirstByte / 4);
            await records.WaitAsync("a partner's key is wrong", record => record is { Direction: Direction.Ingress, Code: "credential_unknown", Status: 401 });
            await records.WaitAsync("a partner's method is forbidden", record => record is { Direction: Direction.Ingress, Code: "method_not_allowed", Status: 405 });
            await records.WaitAsync("a partner's plan is used up", record => record is { Direction: Direction.Ingress, Consumer.Name: "fabrikam", Code: "rate_limited", Status: 429 });
            await records.WaitAsync("a host is not listed", record => record is { Code: "host_not_listed", Status: 403 });
            await records.WaitAsync("staging must not pay", record => record is { Api: "payments", Consumer: { Name: "storefront-staging", Environment: "staging" }, Code: "consumer_not_allowed" });
            await records.WaitAsync("a shop shows its own rate while shipping is down", record => record is { Api: "shipping", Endpoint: "rates", Outcome: Outcome.ServedFromFallback, Status: 200 });
            await records.WaitAsync("the assistant's spare key is used", record => record is { Api: "assistant", Credential: "spare" });
            await records.WaitAsync("the assistant is asked less while it refuses most", record => record is { Api: "assistant", Status: 503, Reason: "adaptive_throttle", Code: "throttled_adaptively" });
            await records.WaitAsync("an order makes calls of its own", record => record is { Api: "shipping", Endpoint: "rates", Consumer.Name: "orders" });
            await records.WaitAsync("the second instance", record => record.Destination == $"http://127.0.0.1:{demo.ApiPorts["orders-2"]}");
            await records.WaitAsync("the second tenant", record => record.Consumer.Tenant == "globex");
        }
        finally
        {
            await demo.DisposeAsync();
        }

        Assert.False(Directory.Exists(directory));
        // A reactor that a busy machine held up is no fault of the demo.
        Assert.DoesNotContain(log.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries), line => !line.StartsWith("Reactor ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_port_in_use_is_one_line_and_exit_code_3()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        using var output = new StringWriter();
        using var error = new StringWriter();

        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var code = await DemoCommand.Create().Parse(["--port-offset", $"{port - 8080}"]).InvokeAsync(new InvocationConfiguration { Output = output, Error = error }, Cancellation);

        Assert.Equal((ExitCode.CannotListen, ""), (code, output.ToString()));
        Assert.Contains($"127.0.0.1:{port}", Assert.Single(error.ToString().TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sigterm_ends_the_process_with_0_and_removes_its_directory()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        using var tidegate = TidegateProcess.Start(["demo", "--start", "09:00", "--port-offset", $"{TestPorts.Free(1, 9900 - 8080) - 8080}"]);

        // Answers of the assistant stream by now: they are what takes time to end.
        await tidegate.LineAsync(line => line.StartsWith("09:", StringComparison.Ordinal) && line.Contains("assistant", StringComparison.Ordinal), Cancellation);
        await tidegate.SignalAsync("TERM", Cancellation);

        Assert.Equal(0, await tidegate.ExitCodeAsync(Cancellation));
        await tidegate.LineAsync(line => line.EndsWith("Nothing is left behind.", StringComparison.Ordinal), Cancellation);
        var configuration = tidegate.Lines.First(line => line.Contains("configuration ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        Assert.False(Directory.Exists(Path.GetDirectoryName(configuration)));
    }

    private sealed class RecordedSink : IExchangeSink
    {
        private readonly List<ExchangeRecord> _records = [];

        public string Name => "test";

        public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
        {
            lock (_records)
            {
                _records.AddRange(batch.Span);
            }

            return default;
        }

        public Task WaitAsync(string what, Func<ExchangeRecord, bool> expected) => WaitForAsync(what, records => records.Exists(record => expected(record)));

        public async Task WaitForAsync(string what, Func<List<ExchangeRecord>, bool> expected)
        {
            for (var started = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(started) < Patience; await Task.Delay(100, Cancellation))
            {
                lock (_records)
                {
                    if (expected(_records))
                    {
                        return;
                    }
                }
            }

            lock (_records)
            {
                Assert.Fail($"Not seen among {_records.Count} records: {what}. Seen: {string.Join(", ", _records.CountBy(record => $"{record.Api} {record.Status} {record.Code}"))}");
            }
        }
    }
}
