// Random inputs for every parser that reads what strangers send, and for the configuration.
//   dotnet run -c Release --project fuzz/Tidegate.Fuzz -- --target head --seconds 60 --seed 1
//   ... --target all           one after the other, each for so long
//   ... --number 4711          that one input again
//   ... --keep FILE            writes each input there before it is parsed: for what takes the whole process along
using System.Diagnostics;
using System.Globalization;
using Tidegate.Fuzz.Inputs;
using Tidegate.Fuzz.Targets;

// A parser that takes this long for 64 KB, on however busy a machine, has no bound.
var longest = TimeSpan.FromSeconds(20);

string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
int Number(string name, int otherwise) => Option(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

var chosen = Option("--target") switch
{
    "all" => FuzzTarget.All.Values.ToList(),
    { } name when FuzzTarget.All.TryGetValue(name, out var target) => [target],
    _ => [],
};
if (chosen.Count == 0)
{
    Console.Error.WriteLine($"--target is one of {string.Join(", ", FuzzTarget.All.Keys)} or all; --seconds (60), --seed (1), --number and --keep FILE may follow.");
    return 2;
}

var seed = Number("--seed", 1);
var single = Number("--number", -1);
var patience = TimeSpan.FromSeconds(Number("--seconds", 60));
var keep = Option("--keep");
var failed = false;
foreach (var target in chosen)
{
    failed |= !Run(target);
}

return failed ? 1 : 0;

bool Run(FuzzTarget target)
{
    var run = new FuzzRun(target, seed);
    var began = Stopwatch.GetTimestamp();
    var (slowest, slowestNumber) = (TimeSpan.Zero, 0);
    var number = Math.Max(0, single);
    var current = run.Input(number);
    using var watch = new Timer(_ => GiveUp(target, number, current), null, longest, Timeout.InfiniteTimeSpan);
    for (; single < 0 ? Stopwatch.GetElapsedTime(began) < patience : number == single; number++)
    {
        current = run.Input(number);
        if (keep is not null)
        {
            File.WriteAllBytes(keep, current);
        }

        watch.Change(longest, Timeout.InfiniteTimeSpan);
        var started = Stopwatch.GetTimestamp();
        if (run.Check(current, number) is { } found)
        {
            watch.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            Report(target, number, run.Smallest(current, number, found), found.ToString());
            return false;
        }

        if (Stopwatch.GetElapsedTime(started) is var took && took > slowest)
        {
            (slowest, slowestNumber) = (took, number);
        }
    }

    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{target.Name}: {number - Math.Max(0, single):N0} inputs with seed {seed}, nothing found; the slowest took {slowest.TotalMilliseconds:0.0} ms (--number {slowestNumber})"));
    return true;
}

void GiveUp(FuzzTarget target, int number, byte[] input)
{
    Report(target, number, input, $"takes more than {longest.TotalSeconds} s");
    Environment.Exit(1);
}

void Report(FuzzTarget target, int number, byte[] input, string problem) => Console.WriteLine($"""
    {target.Name}: FAILS for --target {target.Name} --seed {seed} --number {number}
    {problem}
    {input.Length} bytes, made as small as it still fails:
    {InputText.Literal(input)}
    {Convert.ToHexString(input)}
    """);
