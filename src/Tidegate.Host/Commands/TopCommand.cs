using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate top</c>: what a running gateway does, as a table that is drawn anew each second.</summary>
internal static class TopCommand
{
    private const string ApisPath = "/api/v1/apis";
    private const string NoGateway = "What answers there is no gateway. Name the admin listener with --admin.";

    private static readonly TimeSpan Redraw = TimeSpan.FromSeconds(1);

    private static readonly (string Title, bool IsNumber)[] Columns =
        [("→ out  ← in", false), ("/s", true), ("last minute", true), ("4xx", true), ("5xx", true), ("rejected", true), ("failed", true), ("cached", true), ("p50 ms", true), ("p95 ms", true), ("p99 ms", true)];

    public static Command Create()
    {
        var once = new Option<bool>("--once") { Description = "Print the table once and end." };
        var (admin, token) = AdminClient.Options();
        var command = new Command("top", "Watch a running gateway: every API, over the last minute.") { once, admin, token };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetRequiredValue(admin), parsed.GetValue(token), parsed.GetValue(once), parsed.InvocationConfiguration, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string admin, string? tokenName, bool once, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        using var client = AdminClient.Of(admin, tokenName, out var problem);
        if (client is null)
        {
            await console.Error.WriteLineAsync(problem);
            return ExitCode.Configuration;
        }

        var (first, trouble) = await client.SendAsync(HttpMethod.Get, ApisPath, null, cancellationToken);
        if (first is null)
        {
            await console.Error.WriteLineAsync(trouble);
            return ExitCode.Configuration;
        }

        using (first)
        {
            if (TryTable(first) is not { } table)
            {
                await console.Error.WriteLineAsync(NoGateway);
                return ExitCode.Configuration;
            }

            if (once || Console.IsOutputRedirected)
            {
                AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(console.Output), Ansi = AnsiSupport.No, Interactive = InteractionSupport.No }).Write(table);
                return ExitCode.Success;
            }

            await WatchAsync(client, first, cancellationToken);
        }

        return ExitCode.Success;
    }

    private static async Task WatchAsync(AdminClient client, JsonDocument first, CancellationToken cancellationToken)
    {
        try
        {
            await AnsiConsole.Live(Table(first.RootElement)).StartAsync(async live =>
            {
                while (true)
                {
                    await Task.Delay(Redraw, cancellationToken);
                    var (answer, problem) = await client.SendAsync(HttpMethod.Get, ApisPath, null, cancellationToken);

                    // A gateway that restarts is back in a moment: who watches wants to see that.
                    live.UpdateTarget(answer is null ? new Text(problem) : TryTable(answer) ?? (IRenderable)new Text(NoGateway));
                    answer?.Dispose();
                }
            });
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C is how one leaves.
            return;
        }
    }

    // Something else may answer on that port, in JSON of its own.
    private static Table? TryTable(JsonDocument document)
    {
        try
        {
            return Table(document.RootElement);
        }
        catch (Exception other) when (other is InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return null;
        }
    }

    private static Table Table(JsonElement document)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (var (title, isNumber) in Columns)
        {
            table.AddColumn(new TableColumn(title) { Alignment = isNumber ? Justify.Right : Justify.Left, NoWrap = true, Padding = new Padding(0, 0, 1, 0) });
        }

        var seconds = Math.Max(1, document.GetProperty("last_minute_seconds").GetDouble());
        foreach (var api in document.GetProperty("apis").EnumerateArray().OrderByDescending(api => Number(api.GetProperty("last_minute"), "exchanges")))
        {
            table.AddRow(Row(api, seconds));
        }

        return table;
    }

    private static IEnumerable<IRenderable> Row(JsonElement api, double seconds)
    {
        var counts = api.GetProperty("last_minute");
        var name = api.GetProperty("api").GetString()!;
        yield return new Text((api.GetProperty("direction").GetString() == "egress" ? "→ " : "← ") + (name.Length == 0 ? "(no API)" : name));
        yield return new Text((Number(counts, "exchanges") / seconds).ToString("0.0", CultureInfo.InvariantCulture));
        yield return Count(Number(counts, "exchanges"), Color.Default);
        yield return Count(Number(counts.GetProperty("status"), "4xx"), Color.Yellow);
        yield return Count(Number(counts.GetProperty("status"), "5xx"), Color.Red);
        yield return Count(Number(counts, "rejected"), Color.Yellow);
        yield return Count(Number(counts, "failed"), Color.Red);
        yield return Count(Number(counts, "served_from_cache"), Color.Default);
        foreach (var quantile in (string[])["p50", "p95", "p99"])
        {
            yield return new Text(counts.TryGetProperty("total_ms", out var quantiles) ? Number(quantiles, quantile).ToString("0.0", CultureInfo.InvariantCulture) : "");
        }
    }

    private static Text Count(double count, Color colour) => new(count.ToString("#,0", CultureInfo.InvariantCulture), count > 0 ? new Style(colour) : new Style(decoration: Decoration.Dim));

    private static double Number(JsonElement element, string name) => element.TryGetProperty(name, out var number) ? number.GetDouble() : 0;
}
