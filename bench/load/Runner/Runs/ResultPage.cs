using System.Globalization;
using System.Text;
using Tidegate.Load.Scenarios;

namespace Tidegate.Load.Runs;

/// <summary>Writes results as Markdown, and puts each scenario's into its place on docs/reference/performance.md.</summary>
internal static class ResultPage
{
    // Above this, what was measured is other people's work as well.
    private const double BusyShare = 0.10;

    public static string Section(Scenario scenario, ScenarioResult result, LoadOptions options, double othersShare, IReadOnlyList<string> notes)
    {
        var text = new StringBuilder();
        text.AppendLine($"### {scenario.Title}").AppendLine();
        text.AppendLine($"| {string.Join(" | ", result.Columns)} |");
        text.AppendLine($"|{string.Concat(result.Columns.Select((_, column) => column == 0 ? "---|" : "--:|"))}");
        foreach (var row in result.Rows)
        {
            text.AppendLine($"| {string.Join(" | ", row)} |");
        }

        text.AppendLine();
        foreach (var line in Target.Lines(scenario.Name, result.Figures).Concat(notes.Select(note => "- " + note)))
        {
            text.AppendLine(line);
        }

        var busy = othersShare > BusyShare
            ? string.Create(CultureInfo.InvariantCulture, $" **Busy machine**: other work took {othersShare:P0} of its CPU, so read ratios and leave latencies and requests/s aside.")
            : string.Create(CultureInfo.InvariantCulture, $" Other work took {othersShare:P0} of the CPU.");
        text.AppendLine().AppendLine(string.Create(CultureInfo.InvariantCulture, $"`bench/load/run {scenario.Name}`, {DateTimeOffset.UtcNow:yyyy-MM-dd}, {Machine.Kind}, {options.Rounds} rounds of {options.Seconds:0.#} s.{busy}"));
        return text.ToString();
    }

    public static void Write(string scenario, string section)
    {
        var file = Repository.File("docs/reference/performance.md");
        var page = File.ReadAllText(file);
        var (begin, end) = ($"<!-- bench/load/run {scenario} -->\n", $"<!-- end {scenario} -->");
        var from = page.IndexOf(begin, StringComparison.Ordinal);
        var to = page.IndexOf(end, StringComparison.Ordinal);
        if (from < 0 || to < from)
        {
            throw new InvalidDataException($"docs/reference/performance.md has no place for {scenario}: add the lines '{begin.TrimEnd()}' and '{end}'.");
        }

        File.WriteAllText(file, page[..(from + begin.Length)] + section + page[to..]);
    }
}
