using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;
using Tidegate.Exchanges;

namespace Tidegate.Host.Demo;

/// <summary>Shows the summary until it is told to stop: a table that is drawn anew on a terminal, else a line every five seconds.</summary>
internal sealed class DemoScreen(DemoSummary summary, MorningClock clock, DemoNotes notes, TimeProvider time)
{
    private static readonly TimeSpan Redraw = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(5);

    /// <summary>Draws on a terminal.</summary>
    public async Task DrawAsync(IAnsiConsole console, Task until)
    {
        await console.Live(Table(summary.Read())).AutoClear(false).StartAsync(async live =>
        {
            while (!until.IsCompleted)
            {
                live.UpdateTarget(Table(summary.Read()));
                await Task.WhenAny(until, Task.Delay(Redraw, time));
            }
        });
    }

    /// <summary>Writes lines.</summary>
    public async Task WriteAsync(TextWriter output, Task until)
    {
        while (!until.IsCompleted)
        {
            await Task.WhenAny(until, Task.Delay(LineEvery, time));
            await output.WriteLineAsync(Line(summary.Read()));
            foreach (var note in notes.Take())
            {
                await output.WriteLineAsync(note);
            }
        }
    }

    private string Line(DemoSummary.Snapshot read) =>
        $"{clock.Now:HH:mm}  {read.Calls} calls, {read.CallsPerSecond:0}/s  "
        + string.Join(" · ", read.Apis.Select(row => $"{row.Name} {row.Calls}" + (Errors(row) == 0 ? "" : $" ({Errors(row)} errors)") + (row.Percentile95 is { } slow ? $" p95 {Duration(slow)}" : "")))
        + (read.Troubles.Count == 0 ? "" : "  lately: " + string.Join(" · ", Troubles(read)));

    private IRenderable Table(DemoSummary.Snapshot read)
    {
        // Narrow enough for eighty columns after a day of calls.
        var table = new Table { Border = TableBorder.Simple };
        foreach (var (title, isNumber) in (ReadOnlySpan<(string, bool)>)[("→ out  ← in", false), ("calls", true), ("/s", true), ("good", true), ("stored", true), ("4xx", true), ("5xx", true), ("refused", true), ("failed", true), ("p50", true), ("p95", true)])
        {
            table.AddColumn(new TableColumn(title) { Alignment = isNumber ? Justify.Right : Justify.Left, NoWrap = true, Padding = new Padding(0, 0, 1, 0) });
        }

        foreach (var row in read.Apis.OrderBy(row => row.Direction))
        {
            table.AddRow(
                Markup.Escape((row.Direction == Direction.Egress ? "→ " : "← ") + row.Name),
                Number(row.Calls),
                row.CallsPerSecond.ToString("0.0", CultureInfo.InvariantCulture),
                Number(row.Good),
                Number(row.Stored),
                Trouble(row.ClientErrors, "yellow"),
                Trouble(row.ServerErrors, "red"),
                Trouble(row.Refused, "yellow"),
                Trouble(row.Failed, "red"),
                row.Median is { } median ? Duration(median) : "",
                row.Percentile95 is { } slow ? Duration(slow) : "");
        }

        // Each line is cut rather than wrapped: what changes its height on a terminal leaves old lines behind.
        var troubles = Troubles(read).Chunk(3).Select(line => string.Join(" · ", line)).ToList();
        return new Rows(
            new Markup($"[bold]{clock.Now:HH:mm}[/] on day {clock.Day} · {Number(read.Calls)} calls · {read.CallsPerSecond:0}/s [dim]· Ctrl-C ends it[/]") { Overflow = Overflow.Ellipsis },
            table,
            Cut(troubles.Count == 0 ? "Nothing went wrong in the last ten seconds." : "Lately: " + troubles[0]),
            Cut("        " + troubles.ElementAtOrDefault(1)),
            Cut(notes.Latest.Count == 0 ? " " : notes.Latest[^1]));
    }

    private static Text Cut(string line) => new(line.Length < Console.WindowWidth ? line : line[..Math.Max(0, Console.WindowWidth - 2)] + "…");

    // The rest is in the table's counts.
    private static IEnumerable<string> Troubles(DemoSummary.Snapshot read) => read.Troubles.Take(6).Select(trouble => $"{trouble.Key} ×{trouble.Value}");

    private static long Errors(DemoSummary.ApiRow row) => row.ClientErrors + row.ServerErrors + row.Refused + row.Failed;

    private static string Trouble(long count, string colour) => count == 0 ? "[dim]0[/]" : $"[{colour}]{Number(count)}[/]";

    private static string Number(long number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Duration(TimeSpan span) => span.TotalMilliseconds switch
    {
        < 10 => $"{span.TotalMilliseconds.ToString("0.0", CultureInfo.InvariantCulture)}ms",
        < 1_000 => $"{span.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture)}ms",
        _ => $"{span.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)}s",
    };
}
