// The request path's pieces, timed (BenchmarkDotNet) or held to their allocation baseline.
//   dotnet run -c Release --project bench/micro -- allocations            fails when an operation allocates more than baseline.json says
//   dotnet run -c Release --project bench/micro -- allocations --update   writes baseline.json anew
//   dotnet run -c Release --project bench/micro -- --filter '*' [--job short]
//   dotnet run -c Release --project bench/micro -- time limits            the best of many short runs of what begins so, in seconds instead of minutes
//   bench/micro/Transport/run                                             what a transport costs per request
using System.Globalization;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Tidegate.Benchmarks;
using Tidegate.Benchmarks.Allocations;
using Tidegate.Benchmarks.Operations;
using Tidegate.Benchmarks.Transport;

if (args is ["transport", var transport, var port, var upstream])
{
    await EchoServer.RunAsync(transport, int.Parse(port, CultureInfo.InvariantCulture), int.Parse(upstream, CultureInfo.InvariantCulture));
    return 0;
}

if (args is ["time", .. var prefixes])
{
    // Where others use the machine too the median says how busy they were; the best says what the operation needs.
    foreach (var (name, start) in AllOperations.ByName.Where(entry => prefixes.Length == 0 || prefixes.Any(prefix => entry.Key.StartsWith(prefix, StringComparison.Ordinal))))
    {
        Console.WriteLine($"{BestTime.Nanoseconds(start()),9:N1} ns  {name}");
    }

    return 0;
}

if (args is not ["allocations", .. var rest])
{
    // In this process, because generated projects would be built under this repository's rules (locked packages, warnings as errors), which they cannot keep.
    BenchmarkSwitcher.FromAssembly(typeof(OperationBenchmark).Assembly).Run([.. args, "--inProcess"], DefaultConfig.Instance.WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(80)));
    return 0;
}

var baseline = rest.Contains("--update") ? null : AllocationBaseline.Read();
var measured = new SortedDictionary<string, long>(StringComparer.Ordinal);
var exceeded = 0;
foreach (var (name, start) in AllOperations.ByName)
{
    var allowed = baseline is null ? 0 : baseline.Of(name);
    var bytes = AllocationMeter.Measure(start(), allowed, TimeSpan.FromSeconds(2));
    measured[name] = bytes;
    var isWorse = baseline is not null && bytes > allowed;
    exceeded += isWorse ? 1 : 0;
    Console.WriteLine($"{bytes,7:N0} B  {name}{(isWorse ? $"  MORE than the baseline of {allowed:N0} B" : baseline is not null && bytes < allowed ? $"  (baseline {allowed:N0} B: can be lowered)" : "")}");
}

if (baseline is null)
{
    AllocationBaseline.Write(measured);
    return 0;
}

foreach (var name in baseline.Names.Except(measured.Keys))
{
    Console.WriteLine($"baseline.json names an operation that does not exist: {name}");
    exceeded++;
}

return exceeded == 0 ? 0 : 1;
