// Measures Tidegate beside other proxies; see docs/reference/performance.md. Started by bench/load/run.
using System.Globalization;
using System.Runtime.InteropServices;
using Tidegate.Load.Runs;
using Tidegate.Load.Scenarios;
using Tidegate.Load.Traffic;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
// Some scenarios are called like what they do; the processes that do it are told a port.
if (args.Length > 1 && TrafficCommands.Knows(args[0]) && char.IsAsciiDigit(args[1][0]))
{
    TrafficCommands.Run(args);
    return 0;
}

var isQuick = args.Contains("--quick");
var isWritten = args.Contains("--write");
var names = args.Where(arg => !arg.StartsWith("--", StringComparison.Ordinal) && arg != "all").ToList();
if (args.Contains("--list") || names.Except(AllScenarios.All.Select(scenario => scenario.Name)).Any())
{
    Console.WriteLine("bench/load/run [SCENARIO...] [--quick] [--write]");
    foreach (var scenario in AllScenarios.All)
    {
        Console.WriteLine($"  {scenario.Name,-12} {scenario.Title}{(scenario.IsQuick ? " (quick)" : "")}");
    }

    return args.Contains("--list") ? 0 : 2;
}

Lab? current = null;
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => End(signal, 143));
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => End(signal, 130));
var options = isQuick ? LoadOptions.Quick : new LoadOptions();
var failed = 0;
Console.WriteLine(Machine.Kind);
Console.WriteLine(string.Join(", ", AllScenarios.All.SelectMany(scenario => scenario.Entries).Select(entry => (Name: entry.Peer.Name.Trim('*').Split(',')[0], Version: entry.Peer.Version()))
    .Where(peer => peer.Version is not null).Distinct().Select(peer => $"{peer.Name} {peer.Version}")));
foreach (var scenario in AllScenarios.All.Where(scenario => names.Count > 0 ? names.Contains(scenario.Name) : !isQuick || scenario.IsQuick))
{
    var notes = new List<string>();
    var entries = scenario.Available(options, notes);
    var front = scenario.Entries[0].Setup.Front;
    using var lab = current = new Lab(scenario.Adapt(options));
    if (entries.Count == 0 || !lab.Traffic.Has(front))
    {
        Console.Error.WriteLine($"{scenario.Name} cannot be measured here: {(entries.Count == 0 ? string.Join(' ', notes) : $"no generator for {front} (wrk, or h2load of nghttp2-client)")}");
        failed++;
        continue;
    }

    try
    {
        var watch = new BusyWatch();
        var result = scenario.Kind.Measure(lab, entries, line => Console.Error.WriteLine($"  {scenario.Name}: {line}"));
        var section = ResultPage.Section(scenario, result, lab.Options, watch.OthersShare(), notes);
        Console.WriteLine();
        Console.Write(section);
        if (isWritten)
        {
            ResultPage.Write(scenario.Name, section);
        }
    }
    catch (Exception trouble)
    {
        // A proxy did not start or broke down: this table is not made, the others are.
        Console.Error.WriteLine($"{scenario.Name} was not measured: {trouble.Message}");
        failed++;
    }
}

Console.WriteLine();
Console.WriteLine("Still to come:");
foreach (var line in AllScenarios.StillToCome)
{
    Console.WriteLine("- " + line);
}

return failed == 0 ? 0 : 1;

void End(PosixSignalContext signal, int exitCode)
{
    // Every proxy, upstream and generator goes first, and the run's files with them.
    signal.Cancel = true;
    current?.Dispose();
    Environment.Exit(exitCode);
}
