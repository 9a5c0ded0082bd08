using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using Tidegate.Control.Admin;
using Tidegate.Edge;
using Tidegate.Host.Demo;
using Tidegate.Host.Warming;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate demo</c>: third-party APIs, an API of ours, callers and the gateway between them, all on loopback, until it is stopped.</summary>
internal static class DemoCommand
{
    private const int LargestOffset = 65_535 - 9_900;

    public static Command Create()
    {
        var offset = new Option<int>("--port-offset") { Description = "Added to the ports 8080 (egress), 8081 (ingress) and 9900 (admin).", DefaultValueFactory = _ => 0 };
        offset.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > LargestOffset)
            {
                result.AddError($"--port-offset is a number from 0 to {LargestOffset}.");
            }
        });
        var start = new Option<string>("--start") { Description = "The time of the morning at which it begins, for example 09:28 for the campaign.", DefaultValueFactory = _ => "07:00" };
        start.Validators.Add(result =>
        {
            if (!TryTime(result.GetValueOrDefault<string>(), out var at) || at < MorningClock.Begin || at.Hour >= 12)
            {
                result.AddError("--start is a time from 07:00 to 11:59.");
            }
        });
        var seed = new Option<int>("--seed") { Description = "The same seed gives the same calls.", DefaultValueFactory = _ => 1 };
        var command = new Command("demo", "See it live: simulated APIs and callers around a real gateway, without any network.") { offset, start, seed };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            new DemoSettings
            {
                EgressPort = 8080 + parsed.GetValue(offset),
                IngressPort = 8081 + parsed.GetValue(offset),
                AdminPort = 9900 + parsed.GetValue(offset),
                Seed = parsed.GetValue(seed),
                Start = TryTime(parsed.GetValue(start), out var at) ? at : MorningClock.Begin,
            },
            parsed.InvocationConfiguration,
            cancellationToken));
        return command;
    }

    private static bool TryTime(string? text, out TimeOnly time) => TimeOnly.TryParseExact(text, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out time);

    private static async Task<int> RunAsync(DemoSettings settings, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        if (EnvironmentChoices.Read(out var upstreams) is { } unknown)
        {
            await console.Error.WriteLineAsync(unknown);
            return ExitCode.Configuration;
        }

        using var stop = new StopSignal();
        await using var notes = new DemoNotes();
        var summary = new DemoSummary(time);
        DemoProcess demo;
        try
        {
            await WarmUp.RunAsync(Environment.GetEnvironmentVariable(WarmUp.Variable), time, notes.WriteLine, cancellationToken);
            demo = await DemoProcess.StartAsync(settings with { Upstreams = upstreams }, time, notes, [summary], cancellationToken);
        }
        catch (IOException refused) when (refused is ListenException or AdminListenException)
        {
            await console.Error.WriteLineAsync($"{refused.Message} Take other ports: demo --port-offset 1000");
            return ExitCode.CannotListen;
        }

        await using (demo)
        {
            await console.Output.WriteLineAsync(Introduction(demo));
            summary.Expect(demo.Apis);
            demo.StartCallers();
            var screen = new DemoScreen(summary, demo.Clock, notes, time);
            await (Console.IsOutputRedirected ? screen.WriteAsync(console.Output, stop.Stopped) : screen.DrawAsync(AnsiConsole.Console, stop.Stopped));
            await console.Output.WriteLineAsync("Ending: callers hang up, the gateway drains.");
        }

        var last = summary.Read();
        await console.Output.WriteLineAsync($"{last.Calls} calls were recorded. Nothing is left behind.");
        return ExitCode.Success;
    }

    private static string Introduction(DemoProcess demo) => $$"""
        Tidegate demo: a morning of a shop's traffic, in both directions, all on this machine.

          egress          http://{{demo.Egress}}    proxy, and base URLs: {{string.Join(' ', Prefixes)}}
          ingress         http://{{demo.Ingress}}    our API: /orders, on two instances
          dashboard       http://{{demo.Admin}}/   everything below, live and back in time: open it in a browser
          admin           http://{{demo.Admin}}    /metrics, /api/v1/apis, /api/v1/exchanges, /api/v1/status
          simulated APIs  {{string.Join(' ', demo.ApiPorts.OrderBy(api => api.Key, StringComparer.Ordinal).Select(api => $"{api.Key}:{api.Value}"))}}
          configuration   {{demo.Configuration}}    edit it: it is taken over while this runs

        Try in another terminal:
          curl -i -H 'X-Api-Key: storefront-demo-key' http://{{demo.Egress}}/catalogue/v1/products/7
          curl -i -H 'X-Api-Key: checkout-demo-key' -d '{"amount":1990,"currency":"eur"}' http://{{demo.Egress}}/payments/v1/charges
          curl -N -H 'X-Api-Key: support-demo-key' -d '{"model":"tern-small","stream":true}' http://{{demo.Egress}}/assistant/v1/chat/completions
          curl -i -x http://key:warehouse-demo-key@{{demo.Egress}} http://api.shipping.example/v2/tracking/TG000000042
          curl -i -x http://key:developer-demo-key@{{demo.Egress}} --cacert {{demo.Authority}} https://api.payments.example/v1/charges/ch_000001
          curl -i -H 'X-Api-Key: northwind-demo-key' http://{{demo.Ingress}}/orders
          curl 'http://{{demo.Admin}}/api/v1/exchanges?limit=5&outcome=failed'
        and be refused:
          curl -i -X DELETE -H 'X-Api-Key: northwind-demo-key' http://{{demo.Ingress}}/orders/1001
          curl -i -x http://key:developer-demo-key@{{demo.Egress}} http://elsewhere.example/
        or ask why, offline:
          {{Self}} explain POST https://api.payments.example/v1/refunds -H 'X-Api-Key: globex-shop-demo-key' --config {{demo.Configuration}}

        """;

    private static readonly string[] Prefixes = ["/payments", "/shipping", "/catalogue", "/assistant"];

    /// <summary>How this program was started, so that the line works as printed.</summary>
    private static string Self => Path.GetFileNameWithoutExtension(Environment.ProcessPath) is "dotnet" or null
        ? $"dotnet {Path.Combine(AppContext.BaseDirectory, "Tidegate.Host.dll")}"
        : Environment.ProcessPath!;
}
