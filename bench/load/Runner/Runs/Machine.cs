using System.Globalization;
using System.Runtime.InteropServices;

namespace Tidegate.Load.Runs;

/// <summary>The machine that a run is on, as far as a reader needs to know it.</summary>
internal static class Machine
{
    public static string Kind
    {
        get
        {
            var model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
            var isVirtual = File.ReadLines("/proc/cpuinfo").Any(line => line.StartsWith("flags", StringComparison.Ordinal) && line.Contains(" hypervisor", StringComparison.Ordinal));
            var kernel = string.Join('.', Environment.OSVersion.Version.ToString().Split('.').Take(2));
            return $"{CoreCount} {(isVirtual ? "vCPU" : "cores")} {model}, Linux {kernel}, {RuntimeInformation.FrameworkDescription}";
        }
    }

    public static int CoreCount { get; } = File.ReadLines("/proc/cpuinfo").Count(line => line.StartsWith("processor", StringComparison.Ordinal));

    /// <summary>CPU seconds that all cores have spent on anything, time stolen by the host included.</summary>
    public static double BusySeconds()
    {
        // user nice system idle iowait irq softirq steal
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(field => double.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        return (fields.Sum() - fields[3] - fields[4]) / 100;
    }
}

/// <summary>How much of the machine other work takes while something is measured: latencies of a busy machine say little.</summary>
internal sealed class BusyWatch
{
    private readonly double _busy = Machine.BusySeconds();
    private readonly double _own = OwnSeconds();
    private readonly long _began = Traffic.Clock.Now;

    /// <summary>Other work's share of all cores since the start, 0 to 1.</summary>
    public double OthersShare()
    {
        var seconds = (Traffic.Clock.Now - _began) / (double)Traffic.Clock.Second;
        var others = Machine.BusySeconds() - _busy - (OwnSeconds() - _own);
        return Math.Clamp(others / (seconds * Machine.CoreCount), 0, 1);
    }

    private static double OwnSeconds() => ProcessTree.CpuSecondsWithEnded(Environment.ProcessId) + PinnedProcess.OrphanCpuSeconds;
}
